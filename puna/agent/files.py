"""What the agent does with files: reading, listing and searching them, writing and editing them.

Facts: CLI spec, section 5.2. Every function raises Refused for what it does not do.
"""

from __future__ import annotations

import fnmatch
import os
import re
import signal
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from puna.agent.below import FOLDER, parent_of, replace_file
from puna.agent.fence import Fence, Refused, is_secret

__all__ = ["Edit", "apply_edits", "list_folder", "read_lines", "search", "write_text"]

_MOST_READ = 200_000  # bytes
_MOST_EDITED = 4 * 1024 * 1024
_MOST_ENTRIES = 500
_MOST_FILES = 10_000
_MOST_SEARCHED = 2 * 1024 * 1024
_MOST_MATCHES = 200
_LONGEST_LINE = 300
_SECONDS = 20.0  # of one call
_SKIPPED = frozenset([".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv"])


@dataclass(frozen=True, slots=True)
class Edit:
    """A text to be replaced, and what comes instead."""

    old: str
    new: str


def read_bytes(path: Path, most: int, root: Path | None = None) -> bytes:
    """At most so many bytes of a regular file, and no link to one. With `root`, no part of the path
    below it may be a link. Raises Refused.
    """
    with _open(path, root) as file:
        return file.read(most)


def _open(path: Path, root: Path | None) -> BinaryIO:
    try:
        if root is None:
            return _open_in(None, str(path))
        with parent_of(root, path) as (folder, name):
            return _open_in(folder, name)
    except OSError as error:
        if path.is_symlink():
            raise Refused(f"{path.name} is a symbolic link") from error
        raise Refused(f"{path.name} cannot be read: {error.strerror}") from error


def _open_in(folder: int | None, name: str) -> BinaryIO:
    """A regular file of a folder. Raises OSError, Refused."""
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Refused(f"{Path(name).name} is no regular file")
    return open(handle, "rb")


def read_lines(path: Path, start: int = 1, end: int | None = None, root: Path | None = None) -> str:
    """Lines `start` to `end`, from 1 and inclusive, as many as fit; says how to read on."""
    if start < 1 or (end is not None and end < start):
        raise Refused("start and end are line numbers from 1, and end is not before start")
    kept = bytearray()
    number, begins = 1, 0  # the line that is read, and where in `kept`
    with _open(path, root) as file, time_limit(_SECONDS):
        if b"\0" in file.read(8192):
            raise Refused(f"{path.name} is no text")
        file.seek(0)
        while (end is None or number <= end) and (piece := file.readline(_MOST_READ + 1)):
            if number >= start:
                kept += piece
                if len(kept) > _MOST_READ:
                    break
            if piece.endswith(b"\n"):
                number, begins = number + 1, len(kept)
    if len(kept) <= _MOST_READ:
        return kept.decode("utf-8", "replace") if kept or start == 1 else f"(no line {start})"
    text = kept[: begins or _MOST_READ].decode("utf-8", "replace").rstrip("\n")
    return f"{text}\n[the file is longer: read on with start {number if begins else number + 1}]"


class _TimeIsUp(Exception):
    """A limit was reached; not a Refused, which loops over files go on after."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Ends what takes longer, also a regular expression, with Refused; in the main thread only."""

    def stop(number: int, frame: object) -> None:
        raise _TimeIsUp

    handler = signal.signal(signal.SIGALRM, stop)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TimeIsUp:
        raise Refused(f"it took longer than {seconds:g} seconds") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


def list_folder(fence: Fence, folder: Path) -> str:
    """The entries of a folder, folders with a slash."""
    try:
        with parent_of(fence.base(folder), folder) as (parent, name):
            handle = os.open(name, FOLDER, dir_fd=parent)
        try:
            with os.scandir(handle) as entries:
                names = sorted(
                    each.name + ("/" if each.is_dir(follow_symlinks=False) else "")
                    for each in entries
                )
        finally:
            os.close(handle)
    except OSError as error:
        raise Refused(f"{fence.shown(folder)} cannot be listed: {error.strerror}") from error
    more = len(names) - _MOST_ENTRIES
    shown = names[:_MOST_ENTRIES] + ([f"[{more} more]"] if more > 0 else [])
    return "\n".join(shown) or "(empty)"


def search(
    fence: Fence, folder: Path, pattern: str, names: str = "*", seconds: float = _SECONDS
) -> str:
    """The lines that a regular expression fits, in the files below a folder, or in one file."""
    with time_limit(seconds):
        return _search(fence, folder, pattern, names)


def _search(fence: Fence, folder: Path, pattern: str, names: str) -> str:
    try:
        expression = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise Refused(f"the pattern is no regular expression: {error}") from error
    found: list[str] = []
    for path, parent in _files(fence, folder, names):
        for number, line in _lines(parent, path.name):
            if expression.search(line):
                found.append(f"{fence.shown(path)}:{number}: {line[:_LONGEST_LINE]}")
                if len(found) == _MOST_MATCHES:
                    return "\n".join([*found, f"[only the first {_MOST_MATCHES}]"])
    return "\n".join(found) or "(nothing found)"


def _files(fence: Fence, start: Path, names: str) -> Iterator[tuple[Path, int]]:
    """Files, each with the folder that holds it as a handle. Raises Refused."""
    try:
        with parent_of(fence.base(start), start) as (parent, first):
            if not stat.S_ISDIR(os.stat(first, dir_fd=parent, follow_symlinks=False).st_mode):
                yield start, parent
                return
            above = start if first == "." else start.parent
            count = 0
            for place, folders, files, handle in os.fwalk(first, dir_fd=parent):
                folders[:] = sorted(set(folders) - _SKIPPED)
                for name in sorted(files):
                    path = above / place / name
                    if not fnmatch.fnmatch(name, names) or is_secret(path):
                        continue
                    count += 1
                    if count > _MOST_FILES:
                        return
                    yield path, handle
    except OSError as error:
        raise Refused(f"{fence.shown(start)} cannot be searched: {error.strerror}") from error


def _lines(folder: int, name: str) -> Iterator[tuple[int, str]]:
    try:
        with _open_in(folder, name) as file:
            data = file.read(_MOST_SEARCHED)
    except (OSError, Refused):
        return
    if b"\0" not in data[:8192]:
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")
        yield from enumerate(text.removesuffix("\n").split("\n"), 1)


def apply_edits(text: str, edits: Sequence[Edit], *, replace_all: bool = False) -> tuple[str, int]:
    """The text after the edits, and how many places changed.

    Each old text must be there exactly once, unless all are to be replaced, and none may overlap.
    """
    if not edits:
        raise Refused("there is nothing to edit: give old_text and new_text")
    places: list[tuple[int, int, str]] = []
    for edit in edits:
        if not edit.old:
            raise Refused("old_text is empty")
        starts = [found.start() for found in re.finditer(re.escape(edit.old), text)]
        if not starts:
            raise Refused(f"old_text is not in the file: {edit.old[:200]!r}")
        if len(starts) > 1 and not replace_all:
            raise Refused(
                f"old_text is in the file {len(starts)} times: give more of the text around it, "
                "or replace_all"
            )
        places += [(start, start + len(edit.old), edit.new) for start in starts]
    places.sort()
    if any(first[1] > second[0] for first, second in pairwise(places)):
        raise Refused("edits overlap")
    parts: list[str] = []
    done = 0
    for start, end, new in places:
        parts += [text[done:start], new]
        done = end
    return "".join([*parts, text[done:]]), len(places)


def read_whole(path: Path, root: Path) -> str:
    """A text that is to be edited, below the root."""
    data = read_bytes(path, _MOST_EDITED + 1, root)
    if len(data) > _MOST_EDITED:
        raise Refused(f"{path.name} is larger than {_MOST_EDITED} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{path.name} is no text in UTF-8") from error


def write_text(path: Path, text: str, root: Path) -> None:
    """Write a file below the root in one step, keeping its mode; folders on the way are made."""
    try:
        with parent_of(root, path, makes=True) as (folder, name):
            is_written = replace_file(folder, name, text.encode("utf-8", "replace"))
    except OSError as error:
        raise Refused(f"{path.name} cannot be written: {error.strerror}") from error
    if not is_written:
        raise Refused(f"{path.name} is a symbolic link or no regular file")
