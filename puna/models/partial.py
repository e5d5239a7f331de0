"""A blob that is being downloaded: its bytes arrive in units, in any order, and are hashed in order
while they arrive. What was written survives a kill, see `journal.py`; what the reference has begun
is taken over, see `foreign_parts.py`.

Everything here blocks. Writing, hashing and syncing may go on at once in different threads; each of
them by one thread at a time, but for writing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from puna.errors import StoreFull, WrongDownload
from puna.fmt import human_bytes
from puna.models.blobs import Blobs
from puna.models.digest import Digest
from puna.models.durable import make_folders, naming_full_disk
from puna.models.foreign_parts import ForeignParts, units_within
from puna.models.journal import Journal

__all__ = ["UNIT_BYTES", "Partial", "PartialBusy"]

UNIT_BYTES = 1024 * 1024
"""What is lost at most, of each part under way, when the process is killed."""

KEPT_UNITS = 16
"""How many units that wait for those before them stay in memory instead of being read back."""

HASH_UNITS = 8


class PartialBusy(Exception):
    """Another process, or another thread, downloads this blob."""


class Partial:
    """The download of one blob of `size` bytes. Use it with `with`; leaving keeps what is there.

    Entering raises PartialBusy, StoreFull.
    """

    def __init__(
        self, blobs: Blobs, digest: Digest, size: int, unit_bytes: int = UNIT_BYTES
    ) -> None:
        self.digest = digest
        self.size = size
        self.unit_bytes = unit_bytes
        self.count = -(-size // unit_bytes)
        """How many units the blob has."""
        self._blobs = blobs
        self._path = blobs.folder / f"{digest.file_name}-partial"
        self._journal_path = blobs.folder / f"{digest.file_name}-partial.units"
        self._journal = Journal(self._journal_path, size, unit_bytes)
        self._foreign = ForeignParts(self._path)
        self._was_begun = False
        self._lock = threading.Lock()
        self._ready = bytearray()
        self._kept: dict[int, bytes | bytearray] = {}
        self._hash = hashlib.sha256()
        self._front = 0
        self._synced = 0
        self._handle = -1

    def __enter__(self) -> Self:
        make_folders(self._blobs.folder)
        self._handle = _open_locked(self._path)
        try:
            self._resume()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _resume(self) -> None:
        about = os.fstat(self._handle)
        self._check_space(about.st_blocks * 512)
        self._ready = bytearray(self.count)
        units: list[int] = []
        if about.st_size == self.size:  # else somebody else began it: no journal speaks of it
            units = sorted({*self._journal.load(), *self._foreign_units()})
        else:
            self._foreign.remove()
        self._was_begun = bool(units)
        for unit in units:
            self._ready[unit] = 1
        with naming_full_disk(self._blobs.folder):
            os.ftruncate(self._handle, self.size)
            os.fsync(self._handle)
        self._journal.start(units)
        self._synced = len(units)

    def _foreign_units(self) -> list[int]:
        return units_within(self._foreign.load(self.size), self.unit_bytes, self.size)

    def _check_space(self, taken: int) -> None:
        """Say so at once where the rest cannot fit; `taken` bytes are on the disk already."""
        disk = os.statvfs(self._blobs.folder)
        free = disk.f_bavail * disk.f_frsize
        if self.size - taken > free:
            raise StoreFull(
                f"no space left on the disk of {self._blobs.folder}: "
                f"{human_bytes(self.size - taken)} are needed, {human_bytes(free)} are free"
            )

    def _close(self) -> None:
        self._journal.close()
        if self._handle >= 0:
            os.close(self._handle)  # and with it the lock
            self._handle = -1

    def start_of(self, unit: int) -> int:
        """Where a unit begins, in bytes; the end for the unit after the last."""
        return min(unit * self.unit_bytes, self.size)

    def is_ready(self, unit: int) -> bool:
        """Whether the unit is in the file."""
        return bool(self._ready[unit])

    def missing(self) -> list[tuple[int, int]]:
        """The runs of units, first and one past the last, that are not in the file."""
        runs = []
        start = self._ready.find(0)
        while start >= 0:
            end = self._ready.find(1, start)
            end = self.count if end < 0 else end
            runs.append((start, end))
            start = self._ready.find(0, end)
        return runs

    @property
    def was_begun(self) -> bool:
        """Whether something of it was there before, fetched we do not know how."""
        return self._was_begun

    @property
    def ready_bytes(self) -> int:
        """Bytes of the units that are in the file."""
        full = self._ready.count(1) * self.unit_bytes
        has_tail = self.count and self._ready[-1]
        return full - (self.count * self.unit_bytes - self.size) if has_tail else full

    def write(self, unit: int, data: bytes | bytearray) -> None:
        """Put one whole unit into the file. `data` must not be changed afterwards.

        Raises StoreFull.
        """
        offset, rest = self.start_of(unit), memoryview(data)
        if len(rest) != self.start_of(unit + 1) - offset:
            raise ValueError(f"unit {unit} has {len(rest)} bytes")
        with naming_full_disk(self._blobs.folder):
            while rest:
                written = os.pwrite(self._handle, rest, offset)
                offset, rest = offset + written, rest[written:]
        with self._lock:
            self._journal.note(unit)
            if 0 <= unit - self._front < KEPT_UNITS:
                self._kept[unit] = data
            self._ready[unit] = 1

    def sync(self) -> None:
        """Bring what was written so far to the disk, and note that. Raises StoreFull."""
        with self._lock:
            count = self._journal.noted
        if count == self._synced:
            return
        with naming_full_disk(self._blobs.folder):
            os.fdatasync(self._handle)
        with self._lock:
            self._journal.note_synced(count)
        self._journal.sync()  # without the lock: who writes need not wait for the disk
        self._synced = count

    @property
    def can_hash(self) -> bool:
        """Whether the next unit to be hashed is in the file."""
        return self._front < self.count and self.is_ready(self._front)

    @property
    def is_hashed(self) -> bool:
        """Whether all units are in the file and hashed."""
        return self._front == self.count

    def hash_some(self) -> None:
        """Hash the next units as far as they are in the file, but not too many at a time."""
        for _ in range(HASH_UNITS):
            if not self.can_hash:
                return
            data = self._kept.pop(self._front, None)
            self._hash.update(data if data is not None else self._read(self._front))
            self._front += 1

    def _read(self, unit: int) -> bytes:
        start, parts = self.start_of(unit), []
        left = self.start_of(unit + 1) - start
        while left:
            part = os.pread(self._handle, left, start)
            if not part:
                raise OSError(f"{self._path} was shortened by somebody else")
            parts.append(part)
            start, left = start + len(part), left - len(part)
        return b"".join(parts)

    def commit(self) -> None:
        """Make the blob visible in the store. All of it must be hashed.

        Raises WrongDownload, and then nothing of it stays; StoreFull.
        """
        got = Digest(self._hash.hexdigest())
        if not self.is_hashed or got != self.digest:
            self._discard()
            raise WrongDownload(str(self.digest), str(got))
        self._foreign.remove()  # our journal has all that they say
        if not self._blobs.publish(self._handle, self._path, self.digest):
            self._path.unlink(missing_ok=True)
        self._journal_path.unlink(missing_ok=True)

    def _discard(self) -> None:
        self._foreign.remove()
        self._path.unlink(missing_ok=True)
        self._journal_path.unlink(missing_ok=True)


def _open_locked(path: Path) -> int:
    """Open the file for this process and thread alone. Raises PartialBusy, StoreFull."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        with naming_full_disk(path.parent):
            handle = os.open(path, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise PartialBusy from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)  # it was finished, or given up, between the two
