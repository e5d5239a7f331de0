"""Folders in which blobs bear the names of files, for work that knows files only by their names.

A folder is gone when its work ends, and taken away by the next who comes when that was a kill. The
names come from requests: none leads out of the folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from puna.errors import BadRequest, quoted
from puna.models.durable import StoreLock, create_temp, make_folders, naming_full_disk
from puna.models.holds import hold_open_file, is_held

__all__ = ["file_tree", "is_relative", "remove_abandoned"]

FOLDER = ".puna.work"
MAX_FILES = 8192
MAX_DEPTH = 8
MAX_NAME_BYTES = 255
_TREE = ".files"


def is_relative(name: str) -> bool:
    """Whether the name, with forward slashes, is one of a file below some folder."""
    parts = name.split("/")
    return "\0" not in name and all(part not in {"", ".", ".."} for part in parts)


@contextlib.contextmanager
def file_tree(root: Path, files: Mapping[str, Path]) -> Iterator[Path]:
    """A folder in the store at `root` with these files of the store under these names: links, or
    copies where the disk has none.

    Raises BadRequest for names that no folder can have, OSError, StoreFull.
    """
    _check(files)
    place = root / FOLDER
    make_folders(place)
    with StoreLock(root).held():  # nobody may find the mark before it is locked
        remove_abandoned(root)
        handle, mark = create_temp(place, "work-", 0o600)
        hold_open_file(handle)
    tree = mark.with_name(mark.name + _TREE)
    try:
        tree.mkdir(mode=0o700)
        for name, path in sorted(files.items()):
            _put(tree, name, path)
        yield tree
    finally:
        shutil.rmtree(tree, ignore_errors=True)
        mark.unlink(missing_ok=True)
        os.close(handle)


def remove_abandoned(root: Path) -> None:
    """Take away the folders of those who were killed. For those who hold the store's lock."""
    for mark in (root / FOLDER).glob("work-*"):
        if mark.is_dir() or is_held(mark):
            continue
        shutil.rmtree(mark.with_name(mark.name + _TREE), ignore_errors=True)
        mark.unlink(missing_ok=True)


def _check(files: Mapping[str, Path]) -> None:
    if len(files) > MAX_FILES:
        raise BadRequest(f"{len(files)} files: at most {MAX_FILES} make a model")
    for name in files:
        if not is_relative(name):
            raise BadRequest("file path must be relative")
        parts = name.split("/")
        if len(parts) > MAX_DEPTH or any(_size(part) > MAX_NAME_BYTES for part in parts):
            raise BadRequest(f"file path {quoted(name[:MAX_NAME_BYTES])} is too long")


def _size(part: str) -> int:
    return len(part.encode("utf-8", "surrogatepass"))


def _put(tree: Path, name: str, path: Path) -> None:
    target = tree / name
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except (FileExistsError, NotADirectoryError):
            raise
        except OSError:  # a disk without links, or too many of this file
            with naming_full_disk(tree):
                shutil.copyfile(path, target, follow_symlinks=False)
    except (FileExistsError, NotADirectoryError, IsADirectoryError, UnicodeError) as cause:
        text = quoted(name.encode("utf-8", "replace").decode())
        raise BadRequest(f"file path {text} cannot be, beside the others") from cause
