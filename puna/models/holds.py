"""What must not be removed although no manifest names it yet: blobs that somebody is at work with.

A hold is a locked file that lists digests. The lock ends with its process, so a hold never outlives
who made it, and every process that uses the store sees it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from puna.errors import InvalidDigest
from puna.models.digest import Digest
from puna.models.durable import StoreLock, create_temp, make_folders, write_all

__all__ = ["Holds", "hold_open_file", "is_held"]

FOLDER = ".puna.holds"


class Holds:
    """The holds on blobs of the store at `root`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER
        self._lock = StoreLock(root)

    @contextlib.contextmanager
    def held(self, digests: Iterable[Digest]) -> Iterator[None]:
        """Keep these blobs, and what is there of them already, for the block."""
        text = "".join(f"{digest}\n" for digest in digests)
        make_folders(self._folder)
        with self._lock.held():  # nobody may find the file before it is locked
            handle, path = create_temp(self._folder, "hold-", 0o644)
            hold_open_file(handle)
        try:
            write_all(handle, text.encode())
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(handle)

    def find(self) -> set[Digest]:
        """Every digest on hold; what is left of ended holds is removed.

        For those who hold the store's lock.
        """
        digests: set[Digest] = set()
        for path in self._folder.glob("hold-*"):
            if not is_held(path):
                path.unlink(missing_ok=True)
                continue
            with contextlib.suppress(FileNotFoundError):
                digests |= _parse(path.read_text("ascii", "replace"))
        return digests


def _parse(text: str) -> set[Digest]:
    digests = set()
    for line in text.splitlines():
        with contextlib.suppress(InvalidDigest):
            digests.add(Digest.parse(line))
    return digests


def hold_open_file(handle: int) -> None:
    """Mark the open file as in use, as long as `handle` is open."""
    fcntl.flock(handle, fcntl.LOCK_SH)


def is_held(path: Path) -> bool:
    """Whether somebody, in any process, has the file marked as in use.

    A file that cannot be opened is another user's and may be.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
