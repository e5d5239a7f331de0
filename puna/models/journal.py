"""Which units of a download are in its file: a small text file beside it that outlives a kill.

A unit is noted when it has been written, and noted as synced when it is on the disk. After a kill
everything noted counts, for the kernel still holds it; after a power cut, only what was synced.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from puna.models.durable import naming_full_disk, replace_file, write_all

__all__ = ["Journal", "boot_id"]

_HEAD = re.compile(rb"units 1 (\d{1,19}) (\d{1,19}) ([0-9a-f-]{1,64})")
_LINE = re.compile(rb"([+=])(\d{1,19})")
_MAX_BYTES = 64 * 1024 * 1024


def boot_id() -> str:
    """A text that is another one after each start of this machine; never the same if unknown."""
    with contextlib.suppress(OSError):
        text = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        if re.fullmatch("[0-9a-f-]{1,64}", text):
            return text
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class _Read:
    boot: str
    noted: list[int]
    synced: int


class Journal:
    """The journal at `path` of a file of `size` bytes in units of `unit_bytes`."""

    def __init__(self, path: Path, size: int, unit_bytes: int, boot: str | None = None) -> None:
        self._path = path
        self._size = size
        self._unit_bytes = unit_bytes
        self._boot = boot if boot is not None else boot_id()
        self._handle = -1
        self._noted = 0

    def load(self) -> list[int]:
        """The units that are there. What belongs to another size or is damaged does not count."""
        found = self._read()
        if found is None:
            return []
        certain = found.noted if found.boot == self._boot else found.noted[: found.synced]
        count = -(-self._size // self._unit_bytes)
        return sorted({unit for unit in certain if unit < count})

    def start(self, units: list[int]) -> None:
        """Begin anew with these units, which are on the disk. Raises StoreFull."""
        lines = [f"units 1 {self._size} {self._unit_bytes} {self._boot}"]
        lines += [f"+{unit}" for unit in units]
        lines.append(f"={len(units)}")
        raw = ("\n".join(lines) + "\n").encode()
        replace_file(self._path, raw, self._path.parent, f"{self._path.name}-")
        self._handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._noted = len(units)

    @property
    def noted(self) -> int:
        """How many units were noted so far."""
        return self._noted

    def note(self, unit: int) -> None:
        """Write down that a unit is in the file. Raises StoreFull."""
        self._append(f"+{unit}\n")
        self._noted += 1

    def note_synced(self, count: int) -> None:
        """Write down that the first `count` noted units are on the disk. Raises StoreFull."""
        self._append(f"={count}\n")

    def sync(self) -> None:
        """Bring what was written down to the disk. Raises StoreFull."""
        with naming_full_disk(self._path.parent):
            os.fdatasync(self._handle)

    def close(self) -> None:
        """Close the file; it stays."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _append(self, line: str) -> None:
        with naming_full_disk(self._path.parent):
            write_all(self._handle, line.encode())

    def _read(self) -> _Read | None:
        try:
            with self._path.open("rb") as file:
                head, *lines = file.read(_MAX_BYTES).split(b"\n")
        except FileNotFoundError:
            return None
        match = _HEAD.fullmatch(head)
        if match is None or (int(match[1]), int(match[2])) != (self._size, self._unit_bytes):
            return None
        noted: list[int] = []
        synced = 0
        for line in lines[:-1]:  # what has no line end was cut off
            entry = _LINE.fullmatch(line)
            if entry is None:
                break
            if entry[1] == b"+":
                noted.append(int(entry[2]))
            else:
                synced = min(int(entry[2]), len(noted))
        return _Read(match[3].decode(), noted, synced)
