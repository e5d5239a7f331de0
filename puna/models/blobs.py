"""The blobs: files named by their SHA-256. A name appears only over hashed and synced bytes.

Facts: models spec, sections 2.1 and 2.2. Everything here blocks; the server calls it in threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from puna.errors import BlobMissing, DigestMismatch
from puna.models.digest import Digest
from puna.models.durable import (
    StoreLock,
    create_temp,
    make_folders,
    naming_full_disk,
    sync_folder,
    write_all,
)

__all__ = ["BlobWriter", "Blobs", "Written"]

TEMP_PREFIX = "sha256-"  # and random digits: never 64 of them


class Written(NamedTuple):
    """A blob that is in the store; `created` is False where it was there before."""

    digest: Digest
    created: bool


class Blobs:
    """The folder `blobs` of a store."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "blobs"
        self._lock = StoreLock(root)

    def path(self, digest: Digest) -> Path:
        """Where the blob lies, or would lie."""
        return self.folder / digest.file_name

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there."""
        return self.path(digest).is_file()

    def size(self, digest: Digest) -> int:
        """Bytes of the blob. Raises BlobMissing."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError as cause:
            raise BlobMissing(str(digest)) from cause

    def read(self, digest: Digest, limit: int) -> bytes:
        """The blob's bytes, at most `limit` and one more. Raises BlobMissing."""
        try:
            with self.path(digest).open("rb") as file:
                return file.read(limit + 1)
        except FileNotFoundError as cause:
            raise BlobMissing(str(digest)) from cause

    def refresh(self, digest: Digest) -> int:
        """Mark the blob as just used, which keeps it from pruning for an hour; returns its bytes.

        Raises BlobMissing.
        """
        path = self.path(digest)
        try:
            with contextlib.suppress(PermissionError):  # another user's blob in a shared store
                os.utime(path)
            return path.stat().st_size
        except FileNotFoundError as cause:
            raise BlobMissing(str(digest)) from cause

    def writer(self, expected: Digest | None = None) -> BlobWriter:
        """A blob to be written inside a `with`; nothing stays unless it is committed."""
        return BlobWriter(self.folder, self._lock, expected)

    def add(self, data: bytes) -> Written:
        """Store these bytes. Raises StoreFull."""
        with self.writer() as writer:
            writer.write(data)
            return writer.commit()

    def remove(self, digest: Digest) -> None:
        """Delete the blob if it is there. For those who hold the store's lock."""
        self.path(digest).unlink(missing_ok=True)


class BlobWriter:
    """One blob on its way into the store, hashed while it is written."""

    def __init__(self, folder: Path, lock: StoreLock, expected: Digest | None) -> None:
        self._folder = folder
        self._lock = lock
        self._expected = expected
        self._hash = hashlib.sha256()
        self._size = 0
        self._handle = -1
        self._temp: Path | None = None

    def __enter__(self) -> Self:
        make_folders(self._folder)
        with naming_full_disk(self._folder):
            self._handle, self._temp = create_temp(self._folder, TEMP_PREFIX, 0o600)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        if self._temp is not None:
            self._temp.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`. Raises StoreFull."""
        with naming_full_disk(self._folder):
            write_all(self._handle, data)
        self._hash.update(data)
        self._size += memoryview(data).nbytes

    def commit(self) -> Written:
        """Make the blob visible under its digest, once. The writer is spent afterwards.

        Raises DigestMismatch when it is not the expected one, StoreFull.
        """
        digest = Digest(self._hash.hexdigest())
        if self._expected is not None and digest != self._expected:
            raise DigestMismatch(str(self._expected), str(digest))
        with naming_full_disk(self._folder):
            os.fsync(self._handle)
            os.fchmod(self._handle, 0o644)
            with self._lock.held():
                return Written(digest, self._publish(self._folder / digest.file_name))

    def _publish(self, path: Path) -> bool:
        """Rename to `path` unless it is there; a file of another size there is damage, replaced."""
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_size == self._size:
                with contextlib.suppress(PermissionError):
                    os.utime(path)
                return False
        os.utime(self._handle)
        if self._temp is None:
            raise RuntimeError("a blob is committed once, inside its with block")
        self._temp.replace(path)
        self._temp = None
        sync_folder(self._folder)
        return True
