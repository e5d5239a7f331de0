"""Writing so that a kill or a power cut leaves the old file or the new one; one writer at a time.

Used by the blobs and the library; knows nothing of models.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from puna.errors import StoreError, StoreFull

__all__ = [
    "StoreLock",
    "create_temp",
    "make_folders",
    "naming_full_disk",
    "replace_file",
    "sync_folder",
    "write_all",
]

LOCK_NAME = ".puna.lock"
FULL = {errno.ENOSPC, errno.EDQUOT}


@contextlib.contextmanager
def naming_full_disk(folder: Path) -> Iterator[None]:
    """Turn "no space left" inside the block into StoreFull, which names the folder."""
    try:
        yield
    except OSError as cause:
        if cause.errno in FULL:
            raise StoreFull(
                f"no space left on the disk of {folder}: free some and retry"
            ) from cause
        raise


def make_folders(folder: Path) -> None:
    """Make `folder` and its parents so that they outlive a power cut. Raises StoreError."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    try:
        with naming_full_disk(folder):
            folder.mkdir(mode=0o755, exist_ok=True)
            sync_folder(folder.parent)
    except StoreFull:
        raise
    except OSError as cause:
        raise StoreError(f"{cause}: ensure path elements are traversable") from cause


def sync_folder(folder: Path) -> None:
    """Bring the folder's entries to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def create_temp(folder: Path, prefix: str, mode: int) -> tuple[int, Path]:
    """Open a new file `<prefix><random digits>` in `folder`; returns its descriptor and path."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        path = folder / f"{prefix}{secrets.randbelow(10**10)}"
        with contextlib.suppress(FileExistsError):
            return os.open(path, flags, mode), path


def write_all(handle: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte to the descriptor."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(handle, rest) :]


def replace_file(
    path: Path, data: bytes, temp_folder: Path, temp_prefix: str, mode: int = 0o666
) -> None:
    """Give `path` this content in one step: whoever reads sees all of the old or all of the new.

    The temporary file is made in `temp_folder`, on the same disk. Raises OSError, StoreFull.
    """
    with naming_full_disk(path.parent):
        handle, temp = create_temp(temp_folder, temp_prefix, mode)
        try:
            try:
                write_all(handle, data)
                os.fsync(handle)
            finally:
                os.close(handle)
            temp.replace(path)
        except BaseException:
            temp.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


class StoreLock:
    """The store's lock: held by whoever writes manifests or deletes blobs, in whichever process.

    It is advisory, ends with the process that holds it, and is not reentrant.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / LOCK_NAME

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock and hold it for the block. Each call opens the file: threads exclude
        each other as processes do."""
        make_folders(self._path.parent)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
