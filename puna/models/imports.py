"""Model files that other programs have on this disk: found below a path, and given names.

Knows GGUF files, folders of them (LM Studio's, for one) and Hugging Face's cache, where a snapshot
is a folder of links to blobs. Finds and names; brings nothing into the store.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from puna.errors import BadModelFile, BadRequest, InvalidName
from puna.gguf.describe import describe_parts
from puna.gguf.split import MAX_PARTS, parse_part_name
from puna.models.hub_cache import current_snapshot, is_repository, owner_and_name
from puna.models.name import Name, split_name

__all__ = ["Find", "Import", "Skip", "find_imports"]

MAX_FILES = 10_000

_QUANT = re.compile(
    r"(?i)(.+?)[-._]((?:ud-)?(?:i?q\d\w*|tq\d\w*|bf16|f16|fp16|f32|mxfp4\w*|nvfp4))"
)
_NAMELESS = re.compile(r"(?i)(ggml[-_.])?(model|weights|pytorch_model)|[0-9a-f]{64}")


_Files = Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Import:
    """A model to be made: its name, where its weights were found, and its files.

    `files` are file names and where the files are, links followed; the weights come first, and
    where they are split, in order.
    """

    name: Name
    path: Path
    files: _Files


@dataclass(frozen=True, slots=True)
class Skip:
    """A file that is not imported, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Find:
    """What was found below a path."""

    models: tuple[Import, ...]
    skipped: tuple[Skip, ...]


@dataclass(frozen=True, slots=True)
class _File:
    """A candidate below `root`, which no link may leave; it belongs to a repository of an owner."""

    path: Path
    root: Path
    owner: str
    repository: str


def find_imports(path: Path, typed: str = "") -> Find:
    """Find the models at `path`. A typed name comes before any that files or folders suggest.

    Raises FileNotFoundError, BadRequest for a typed name that does not fit, InvalidName.
    """
    path = Path(os.path.abspath(path))
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    files = list(_files(path))
    if len(files) > MAX_FILES:
        raise BadRequest(f"{path} has more than {MAX_FILES} files: name one of its folders")
    skipped: list[Skip] = []
    models = _join(files, skipped)
    named = _named(models, typed) if typed else _suggested(models)
    return Find(tuple(_unique(named, skipped)), tuple(skipped))


def _files(path: Path) -> Iterator[_File]:
    if not path.is_dir():
        hub = next((each for each in path.parents if is_repository(each)), None)
        for each in _with_parts(path):
            real = each.resolve()  # whoever names a link to a file means the file
            yield _File(each, real, *(owner_and_name(hub) if hub else _folders(each)))
    elif path.parent.name == "snapshots":
        yield from _snapshot(path, path.parent.parent)
    else:
        yield from _below(path, path)


def _with_parts(path: Path) -> list[Path]:
    """The file, and the other parts of its model that lie beside it."""
    part = parse_part_name(path.name)
    if part is None or part.count > MAX_PARTS:
        return [path]
    return [each for each in map(path.with_name, part.siblings) if each.exists()]


def _below(folder: Path, root: Path) -> Iterator[_File]:
    if is_repository(folder):
        current = current_snapshot(folder)
        if current is not None:
            yield from _snapshot(current, folder)
        return
    for name in sorted(os.listdir(folder)):
        path = folder / name
        if path.is_dir():
            if not path.is_symlink():
                yield from _below(path, root)
        elif name.lower().endswith(".gguf"):
            yield _File(path, root, *_folders(path))


def _snapshot(folder: Path, hub: Path) -> Iterator[_File]:
    for path in sorted(folder.rglob("*")):
        if path.name.lower().endswith(".gguf") and not path.is_dir():
            yield _File(path, hub, *owner_and_name(hub))


def _folders(path: Path) -> tuple[str, str]:
    """Owner and name of LM Studio's `<owner>/<name>/<file>`."""
    return path.parent.parent.name, path.parent.name


def _join(files: list[_File], skipped: list[Skip]) -> list[tuple[_File, _Files]]:
    """The models, each with its files; a folder's projector belongs to all models in it."""
    models: list[tuple[_File, _Files]] = []
    projectors: dict[Path, _Files] = {}
    for parts in _in_parts(files):
        file, folder = parts[0], parts[0].path.parent
        reals = {part.path.name: Path(os.path.realpath(part.path)) for part in parts}
        kind, reason = _kind(parts, reals)
        if kind == "projector" and folder in projectors:
            reason = "the folder has another projector"
        if reason:
            skipped.append(Skip(file.path, reason))
        elif kind == "projector":
            projectors[folder] = reals
        else:
            models.append((file, reals))
    used = {file.path.parent for file, _ in models}
    for folder, names in projectors.items():
        if folder not in used:
            reason = "there is no model beside this projector"
            skipped += [Skip(folder / name, reason) for name in names]
    return [(file, {**reals, **projectors.get(file.path.parent, {})}) for file, reals in models]


def _in_parts(files: list[_File]) -> list[list[_File]]:
    """The files of one model together, in the order of their names."""
    groups: dict[tuple[Path, str, int], list[_File]] = {}
    for file in files:
        part = parse_part_name(file.path.name)
        key = (part.prefix, part.count) if part else (file.path.name, 0)
        groups.setdefault((file.path.parent, *key), []).append(file)
    return [sorted(group, key=lambda file: file.path.name) for group in groups.values()]


def _kind(parts: list[_File], reals: _Files) -> tuple[str, str]:
    """What kind of model the files are, and why they cannot be imported, "" if they can."""
    for part, real in zip(parts, reals.values(), strict=True):
        if not real.is_relative_to(part.root.resolve()):
            return "", f"it leads out of {part.root}"
    name = parse_part_name(parts[0].path.name)
    try:
        missing = [each for each in name.siblings if each not in reals] if name else []
        if missing:
            return "", f"{missing[0]} is missing beside it"
        description = describe_parts(list(reals.values()))
    except (OSError, BadModelFile) as cause:
        return "", str(cause)
    if description.kind not in {"model", "projector"}:
        return "", f"it is no model: {description.kind}"
    return description.kind, ""


def _suggested(models: list[tuple[_File, _Files]]) -> list[Import]:
    """Names from file names; where two would be equal, the owner is put before them."""
    plain = [_name(file, owner="") for file, _ in models]
    counts = Counter(name.folded for name in plain)
    return [
        Import(_name(file, owner=file.owner) if counts[name.folded] > 1 else name, file.path, files)
        for name, (file, files) in zip(plain, models, strict=True)
    ]


def _named(models: list[tuple[_File, _Files]], typed: str) -> list[Import]:
    name = Name.parse(typed)
    if len(models) == 1:
        return [Import(name, models[0][0].path, models[0][1])]
    if split_name(typed).tag:
        raise BadRequest(
            f"{len(models)} models were found: give a name without a tag, or name one of the files"
        )
    return [
        Import(replace(name, tag=_name(file, owner="").tag), file.path, files)
        for file, files in models
    ]


def _unique(models: list[Import], skipped: list[Skip]) -> Iterator[Import]:
    counts = Counter(model.name.folded for model in models)
    for model in models:
        if counts[model.name.folded] == 1:
            yield model
        else:
            reason = f"several would be called {model.name.short}: import it alone, with a NAME"
            skipped.append(Skip(model.path, reason))


def _name(file: _File, owner: str) -> Name:
    """`Qwen3-4B-Q4_K_M.gguf` is `qwen3-4b:q4_k_m`."""
    part = parse_part_name(file.path.name)
    stem = part.prefix if part else re.sub(r"(?i)\.gguf$", "", file.path.name)
    match = _QUANT.fullmatch(stem)
    model, tag = match.groups() if match else (stem, "")
    if _NAMELESS.fullmatch(model):
        model = file.repository
    model = re.sub(r"(?i)[-_.]gguf$", "", model)
    namespace = _clean(owner, "").replace(".", "-") or "library"
    try:
        return Name.parse(f"{namespace}/{_clean(model, 'model')}:{_clean(tag, 'latest')}")
    except InvalidName as cause:  # nothing that `_clean` leaves
        raise BadRequest(f"{file.path}: give a NAME") from cause


def _clean(text: str, otherwise: str) -> str:
    """The text in letters that names allow."""
    plain = re.sub(r"[^a-z0-9_.-]+", "-", text.lower()).strip("-.")
    return plain[:80] or otherwise
