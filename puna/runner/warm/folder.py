"""A folder of saved prefixes with a limit on its size; the least recently used go first.

Several processes may use one folder at the same time: room is made under a lock, a file appears
whole by renaming, and a reader whose file vanishes has lost nothing but time.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from puna.errors import StoreError
from puna.models.durable import StoreLock, create_temp, make_folders, sync_folder, write_all

__all__ = ["SUFFIX", "Folder", "copy_file", "open_folder"]

log = logging.getLogger(__name__)

SUFFIX = ".kv"
_TEMP = ".saving-"
_CHUNK = 1 << 24

Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    size: int
    used_ns: int


def open_folder(path: Path, limit: int, spare: Callable[[], int | None] = lambda: None) -> Folder:
    """Use a folder, made if need be. Raises StoreError when it cannot be had or trusted."""
    if not path.is_dir():
        make_folders(path.parent)
        try:
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as cause:
            raise StoreError(f"{cause}") from cause
    status = path.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise StoreError(f"{path} belongs to somebody else, or others may write to it")
    return Folder(path, limit, spare)


class Folder:
    """Files that together are at most `limit` bytes long."""

    def __init__(self, path: Path, limit: int, spare: Callable[[], int | None]) -> None:
        """`spare` says how much one file may take at the moment, None is no further limit."""
        self.path = path
        self._limit = limit
        self._spare = spare
        self._lock = StoreLock(path)

    def files(self, beginning: str = "") -> list[Path]:
        """The files whose names begin so, the most recently used first."""
        found = [each for each in self._scan() if each.path.name.startswith(beginning)]
        return [each.path for each in sorted(found, key=lambda each: -each.used_ns)]

    def fits(self, size: int) -> bool:
        """Whether a file of this size may be saved here at all."""
        spare = self._spare()
        return size <= self._limit and (spare is None or size <= spare)

    def add(
        self,
        name: str,
        size: int,
        content: Iterable[Buffer],
        *,
        used_ns: int | None = None,
        evicted: Callable[[Path], None] = lambda path: None,
    ) -> bool:
        """Save a file of `size` bytes; `evicted` sees what must go for it before it goes.

        `used_ns` is when it was used last (now if not said): what was used later does not go for
        it. False when there is no room for it. Raises OSError.
        """
        if not self.fits(size):
            return False
        with contextlib.ExitStack() as scope:
            with self._lock.held():
                if not self._make_room(size, evicted, used_ns):
                    return False
                handle, temp = create_temp(self.path, _TEMP, 0o600)
                scope.callback(os.close, handle)
                scope.callback(temp.unlink, missing_ok=True)
                fcntl.flock(handle, fcntl.LOCK_EX)  # a sign of life for `tidy`
                _reserve(handle, size)
            for part in content:
                write_all(handle, part)
            if used_ns is not None:
                os.utime(handle, ns=(used_ns, used_ns))
            os.fsync(handle)
            with self._lock.held():  # nobody counts it twice, or not at all
                temp.replace(self.path / name)
        sync_folder(self.path)
        return True

    def tidy(self) -> None:
        """Remove what processes that were killed left half-written, and what is over the limit."""
        with self._lock.held():
            for path in self.path.glob(f"{_TEMP}*"):
                with contextlib.suppress(OSError):
                    _remove_abandoned(path)
            self._make_room(0, lambda path: None)

    def _make_room(
        self, size: int, evicted: Callable[[Path], None], before_ns: int | None = None
    ) -> bool:
        files = self._scan()
        total = sum(each.size for each in files) + self._being_written()
        for each in sorted(files, key=lambda file: file.used_ns):
            if total + size <= self._limit:
                break
            if before_ns is not None and each.used_ns > before_ns:
                return False
            evicted(each.path)
            each.path.unlink(missing_ok=True)
            total -= each.size
        return total + size <= self._limit

    def _being_written(self) -> int:
        return sum(each.size for each in self._scan(_TEMP, ""))

    def _scan(self, beginning: str = "", suffix: str = SUFFIX) -> list[_File]:
        return list(_plain_files(self.path, beginning, suffix))


def copy_file(path: Path, folder: Folder) -> bool:
    """Save a file in another folder as well, as recently used as it is. Raises OSError."""
    status = path.stat()
    return folder.add(path.name, status.st_size, _chunks(path), used_ns=status.st_mtime_ns)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _plain_files(folder: Path, beginning: str, suffix: str) -> Iterator[_File]:
    with os.scandir(folder) as found:
        for each in found:
            if not (each.name.startswith(beginning) and each.name.endswith(suffix)):
                continue
            with contextlib.suppress(FileNotFoundError):
                status = each.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield _File(Path(each.path), status.st_size, status.st_mtime_ns)


def _reserve(handle: int, size: int) -> None:
    """Take the space at once: it counts for everybody's limit, and a full disk says so now."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
    else:
        os.truncate(handle, size)


def _remove_abandoned(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(handle)
