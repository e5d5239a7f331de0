"""Downloads that the reference has begun in a store: what its part files say is in the data file.

It writes `…-partial-0`, `…-partial-1` and so on beside `…-partial`. Facts: models spec, section
8.3. Nothing says that what they claim ever reached the disk; the hash of the whole blob decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ForeignParts", "units_within"]

MAX_PARTS = 10_000
MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class _Part:
    offset: int
    size: int
    completed: int


class ForeignParts:
    """The part files of the data file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, size: int) -> list[tuple[int, int]]:
        """The runs of bytes, first and one past the last, that are said to be there.

        Nothing counts unless the parts make up exactly `size` bytes: some may have been deleted.
        """
        files = self._files()
        if not 0 < len(files) <= MAX_PARTS or sorted(files) != list(range(len(files))):
            return []
        parts = [_read(files[number]) for number in sorted(files)]
        place = 0
        runs: list[tuple[int, int]] = []
        for part in parts:
            if part is None or part.offset != place:
                return []
            place += part.size
            end = part.offset + part.completed
            if runs and runs[-1][1] == part.offset:
                runs[-1] = (runs[-1][0], end)
            elif part.completed:
                runs.append((part.offset, end))
        return runs if place == size else []

    def remove(self) -> None:
        """Delete the part files: their claims are true no longer, or not needed any more."""
        for path in self._files().values():
            path.unlink(missing_ok=True)

    def _files(self) -> dict[int, Path]:
        pattern = re.compile(re.escape(self._path.name) + r"-(0|[1-9]\d{0,8})")
        found = {}
        for path in self._path.parent.glob(f"{self._path.name}-*"):
            if match := pattern.fullmatch(path.name):
                found[int(match[1])] = path
        return found


def units_within(runs: Iterable[tuple[int, int]], unit_bytes: int, size: int) -> list[int]:
    """The units of a blob of `size` bytes that lie wholly within one of the runs."""
    units: list[int] = []
    for start, end in runs:
        first = -(-start // unit_bytes)
        last = -(-size // unit_bytes) if end == size else end // unit_bytes
        units += range(first, last)
    return units


def _read(path: Path) -> _Part | None:
    """A part file, None for one that makes no sense."""
    try:
        with path.open("rb") as file:
            fields = json.loads(file.read(MAX_BYTES))
        numbers = [fields[key] for key in ("Offset", "Size", "Completed")]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    if not all(type(each) is int for each in numbers):
        return None
    offset, size, completed = numbers
    return _Part(offset, size, completed) if 0 <= completed <= size and size > 0 else None
