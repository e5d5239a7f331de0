"""Local files that a Modelfile names: how a path is completed and which files of a folder count.

Facts: models spec, sections 15.6 and 20.5. One part of a split model stands for all of them, which
lie beside it. What counts in a folder is said in checkpoint_files.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from puna.errors import ModelfileError
from puna.gguf.split import parse_part_name
from puna.models.checkpoint_files import is_gguf_file, model_files

__all__ = ["expand", "files_at", "request_names"]


def expand(text: str, base: Path) -> Path:
    """Complete a written path: `~` is a home, anything relative starts at `base`.

    The path need not exist. Raises ModelfileError for an unknown user.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError as cause:
        raise ModelfileError(f"{text}: {cause}") from cause
    return Path(os.path.normpath(base / path))


def files_at(
    path: Path, in_folder: Callable[[Path], tuple[Path, ...]] = model_files
) -> tuple[Path, ...]:
    """The file at `path`, with the other parts of its model if it is one; or those that count in
    the folder there.

    Raises FileNotFoundError, and ModelfileError for a part that is missing, a folder without
    weights or with a link that leads out of it.
    """
    # os.path, because a model's name may be too long for a file's, which Path reports by raising
    if os.path.isdir(path):
        return in_folder(path)
    if not os.path.isfile(path):
        if os.path.exists(path):
            raise ModelfileError(f"{path} is neither a file nor a folder")
        raise FileNotFoundError(path)
    return _with_parts(path)


def _with_parts(path: Path) -> tuple[Path, ...]:
    part = parse_part_name(path.name)
    if part is None or not is_gguf_file(path):
        return (path,)
    paths = tuple(path.with_name(name) for name in part.siblings)
    for each in paths:
        if not os.path.isfile(each):
            raise ModelfileError(f"{each}: no such file: {path.name} needs all {part.count} parts")
    return paths


def request_names(paths: Sequence[Path]) -> dict[str, Path]:
    """The names under which a create request sends these files, with forward slashes.

    One file goes by its own name, several by their paths from the deepest folder they share.
    """
    if len(paths) == 1:
        return {paths[0].name: paths[0]}
    if not paths:
        return {}
    root = os.path.commonpath([path.parent for path in paths])
    return {path.relative_to(root).as_posix(): path for path in paths}
