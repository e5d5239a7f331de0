"""The blobs: files named by their SHA-256. A name appears only over hashed and synced bytes.

Facts: models spec, sections 2.1 and 2.2. Everything here blocks; the server calls it in threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from puna.errors import BlobMissing, DigestMismatch, StoreError
from puna.models.digest import Digest
from puna.models.durable import (
    StoreLock,
    create_temp,
    make_folders,
    naming_full_disk,
    sync_folder,
    write_all,
)
from puna.models.holds import hold_open_file
from puna.models.linking import Way, clone_or_link, open_plain
from puna.models.second import SecondStore

__all__ = ["Adopted", "BlobWriter", "Blobs", "Elsewhere", "Written"]

TEMP_PREFIX = "sha256-"  # and random digits: never 64 of them

_READ_BYTES = 4 * 1024 * 1024

Told = Callable[[int], None]
"""Hears how many bytes are done."""


class Written(NamedTuple):
    """A blob that is in the store; `created` is False where it was there before."""

    digest: Digest
    created: bool


class Adopted(NamedTuple):
    """A local file that is a blob of the store now, its bytes, and how it came there."""

    digest: Digest
    size: int
    way: Way


class Elsewhere(NamedTuple):
    """A file that another process fills. `take` hashes it and makes it a blob. Raises StoreFull."""

    path: Path
    take: Callable[[], Adopted]


def _tell_nobody(done: int) -> None:
    """For those who need not know how far it is."""


class Blobs:
    """The folder `blobs` of a store; blobs of a second store are seen too, and taken over when they
    are to belong to a model of this one.
    """

    def __init__(self, root: Path, second: SecondStore | None = None) -> None:
        self.folder = root / "blobs"
        self._lock = StoreLock(root)
        self._second = second

    def path(self, digest: Digest) -> Path:
        """Where the blob lies, or would lie."""
        own = self.folder / digest.file_name
        if self._second is None or own.is_file():
            return own
        return self._second.blob(digest) or own

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there."""
        return self.path(digest).is_file()

    def owns(self, digest: Digest) -> bool:
        """Whether the blob is in this store itself."""
        return (self.folder / digest.file_name).is_file()

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
                size = os.fstat(file.fileno()).st_size  # what is asked for is set aside at once
                return file.read(min(size, limit) + 1)
        except FileNotFoundError as cause:
            raise BlobMissing(str(digest)) from cause

    def refresh(self, digest: Digest) -> int:
        """Mark the blob as just used, which keeps it from pruning for an hour; returns its bytes.

        A blob of the second store is taken over. Raises BlobMissing, StoreError for a damaged one.
        """
        self.take_over(digest)
        path = self.folder / digest.file_name
        try:
            _touch(path)
            return path.stat().st_size
        except FileNotFoundError as cause:
            raise BlobMissing(str(digest)) from cause

    def take_over(self, digest: Digest) -> None:
        """Make a blob that only the second store has one of this store: checked, and without a
        second copy where the file system allows. Nothing happens to others.

        Raises StoreError for a damaged one, StoreFull.
        """
        if self._second is None or self.owns(digest):
            return
        source = self._second.blob(digest)
        if source is None:
            return
        try:
            self.adopt(source, digest)
        except DigestMismatch as cause:
            self._second.distrust(digest)
            raise StoreError(f"{source} is damaged: {cause}") from cause

    def adopt(
        self, source: Path, expected: Digest | None = None, told: Told = _tell_nobody
    ) -> Adopted:
        """Make the local file `source` a blob: cloned or linked, else copied; hashed once.

        Raises OSError, StoreError when it is not a plain file, DigestMismatch, StoreFull.
        """
        make_folders(self.folder)
        with open_plain(source) as file, naming_full_disk(self.folder):
            made = clone_or_link(source, file.fileno(), self.folder, TEMP_PREFIX)
            if made is None:
                return self._copy(file, expected, told)
            temp, way = made
            try:
                return self._take(temp, way, expected, told)
            finally:
                temp.unlink(missing_ok=True)

    def _copy(self, file: BinaryIO, expected: Digest | None, told: Told) -> Adopted:
        with self.writer(expected) as writer:
            while piece := file.read(_READ_BYTES):
                writer.write(piece)
                told(writer.size)
            digest, created = writer.commit()
            return Adopted(digest, writer.size, Way.COPIED if created else Way.PRESENT)

    def _take(self, temp: Path, way: Way, expected: Digest | None, told: Told) -> Adopted:
        with open_plain(temp) as file:
            hold_open_file(file.fileno())
            hashed, size = hashlib.sha256(), 0
            while piece := file.read(_READ_BYTES):
                hashed.update(piece)
                size += len(piece)
                told(size)
            digest = Digest(hashed.hexdigest())
            if expected is not None and digest != expected:
                raise DigestMismatch(str(expected), str(digest))
            created = self.publish(file.fileno(), temp, digest)
        return Adopted(digest, size, way if created else Way.PRESENT)

    def writer(self, expected: Digest | None = None) -> BlobWriter:
        """A blob to be written inside a `with`; nothing stays unless it is committed."""
        return BlobWriter(self, expected)

    @contextlib.contextmanager
    def elsewhere(self) -> Iterator[Elsewhere]:
        """A file for another process to fill; nothing stays of it unless it is taken."""
        make_folders(self.folder)
        with naming_full_disk(self.folder):
            handle, temp = create_temp(self.folder, TEMP_PREFIX, 0o600)
        try:
            hold_open_file(handle)
            yield Elsewhere(temp, lambda: self._take(temp, Way.COPIED, None, _tell_nobody))
        finally:
            os.close(handle)
            temp.unlink(missing_ok=True)

    def add(self, data: bytes) -> Written:
        """Store these bytes. Raises StoreFull."""
        with self.writer() as writer:
            writer.write(data)
            return writer.commit()

    def publish(self, handle: int, temp: Path, digest: Digest) -> bool:
        """Make the file `temp`, open as `handle`, the blob of this digest; False if there is one.

        Blocks until it is on the disk. `temp` is gone only where this returns True. Raises
        StoreFull.
        """
        with naming_full_disk(self.folder):
            os.fsync(handle)
            if _is_ours_alone(handle):
                os.fchmod(handle, 0o644)
            with self._lock.held():
                return self._rename(handle, temp, self.folder / digest.file_name)

    def _rename(self, handle: int, temp: Path, path: Path) -> bool:
        """Rename to `path` unless it is there. A file of another size there is damage, and one that
        has another name may have been changed under that: both are replaced.
        """
        with contextlib.suppress(FileNotFoundError):
            there, ours = path.stat(), os.fstat(handle)
            is_safe = path.is_file() and there.st_size == ours.st_size and there.st_nlink == 1
            if is_safe or os.path.samestat(there, ours):
                _touch(path)
                return False
        if _is_ours_alone(handle):
            os.utime(handle)
        temp.replace(path)
        sync_folder(self.folder)
        return True

    def discard(self, digest: Digest) -> None:
        """Delete the blob if it is there; one of the second store is not seen any more.

        For those who hold the store's lock.
        """
        if self.owns(digest):
            (self.folder / digest.file_name).unlink(missing_ok=True)
        elif self._second is not None:
            self._second.distrust(digest)


class BlobWriter:
    """One blob on its way into the store, hashed while it is written."""

    def __init__(self, blobs: Blobs, expected: Digest | None) -> None:
        self._blobs = blobs
        self._folder = blobs.folder
        self._expected = expected
        self._hash = hashlib.sha256()
        self._size = 0
        self._handle = -1
        self._temp: Path | None = None

    def __enter__(self) -> Self:
        make_folders(self._folder)
        with naming_full_disk(self._folder):
            self._handle, self._temp = create_temp(self._folder, TEMP_PREFIX, 0o600)
        hold_open_file(self._handle)
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
        if self._temp is None:
            raise RuntimeError("a blob is committed once, inside its with block")
        is_new = self._blobs.publish(self._handle, self._temp, digest)
        if is_new:
            self._temp = None
        return Written(digest, is_new)


def _is_ours_alone(handle: int) -> bool:
    """False for a file with other names elsewhere, whose mode and times are not ours to set."""
    return os.fstat(handle).st_nlink == 1


def _touch(path: Path) -> None:
    """Mark as just used, unless the file is not ours alone."""
    with contextlib.suppress(PermissionError):  # another user's blob in a shared store
        if path.stat().st_nlink == 1:
            os.utime(path)
