"""What the agent does with files: reading, listing and searching them, writing and editing them.

Facts: CLI spec, section 5.2. Every function raises Refused for what it does not do.
"""

from __future__ import annotations

import fnmatch
import os
import re
import signal
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

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


def read_bytes(path: Path, most: int) -> bytes:
    """At most so many bytes of a regular file, and no link to one. Raises Refused."""
    with _open(path) as file:
        return file.read(most)


def _open(path: Path) -> BinaryIO:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise Refused(f"{path.name} is a symbolic link") from error
        raise Refused(f"{path.name} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Refused(f"{path.name} is no regular file")
    return open(handle, "rb")


def read_lines(path: Path, start: int = 1, end: int | None = None) -> str:
    """Lines `start` to `end`, from 1 and inclusive, as many as fit; says how to read on."""
    if start < 1 or (end is not None and end < start):
        raise Refused("start and end are line numbers from 1, and end is not before start")
    kept = bytearray()
    number, begins = 1, 0  # the line that is read, and where in `kept`
    with _open(path) as file, time_limit(_SECONDS):
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
        with os.scandir(folder) as entries:
            names = sorted(
                each.name + ("/" if each.is_dir(follow_symlinks=False) else "") for each in entries
            )
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
    for path in _files(folder, names):
        for number, line in _lines(path):
            if expression.search(line):
                found.append(f"{fence.shown(path)}:{number}: {line[:_LONGEST_LINE]}")
                if len(found) == _MOST_MATCHES:
                    return "\n".join([*found, f"[only the first {_MOST_MATCHES}]"])
    return "\n".join(found) or "(nothing found)"


def _files(folder: Path, names: str) -> Iterator[Path]:
    if not folder.is_dir():
        yield folder
        return
    count = 0
    for place, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(set(folders) - _SKIPPED)
        for name in sorted(files):
            if not fnmatch.fnmatch(name, names) or is_secret(Path(place) / name):
                continue
            count += 1
            if count > _MOST_FILES:
                return
            yield Path(place) / name


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        data = read_bytes(path, _MOST_SEARCHED)
    except Refused:
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


def read_whole(path: Path) -> str:
    """A text that is to be edited."""
    data = read_bytes(path, _MOST_EDITED + 1)
    if len(data) > _MOST_EDITED:
        raise Refused(f"{path.name} is larger than {_MOST_EDITED} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{path.name} is no text in UTF-8") from error


def write_text(path: Path, text: str) -> None:
    """Write a file in one step, keeping its mode; folders on the way are made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = None
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise Refused(f"{path.name} is a symbolic link or no regular file")
        if path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
        handle, fresh = tempfile.mkstemp(prefix=".puna-", dir=path.parent)
        try:
            with open(handle, "wb") as file:
                file.write(text.encode("utf-8", "replace"))
            Path(fresh).chmod(0o644 if mode is None else mode)
            Path(fresh).replace(path)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Refused(f"{path.name} cannot be written: {error.strerror}") from error
