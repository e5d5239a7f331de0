"""A part of a blob on its way out: read in threads, with the MD5 that object stores know it by."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import BinaryIO

from puna.errors import StoreError
from puna.threads import in_thread_to_the_end

__all__ = ["Part"]

READ_BYTES = 1024 * 1024
PIECE_BYTES = 256 * 1024
"""What is sent in one go: a line that takes longer for it than a stall lasts counts as dead."""


def _tell_nobody(place: int) -> None:
    """For those who need not know how far it is."""


class Part:
    """The bytes of a file from `start` to before `end`. `told` hears up to where they are sent."""

    def __init__(
        self, path: Path, start: int, end: int, told: Callable[[int], None] = _tell_nobody
    ) -> None:
        self.start = start
        self.end = end
        self._path = path
        self._told = told
        self._sum: bytes | None = None

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The bytes from the beginning. Raises StoreError for a file that is too short."""
        hashed, place = hashlib.md5(usedforsecurity=False), self.start
        with contextlib.ExitStack() as opened:  # who is cancelled meanwhile leaves no file open
            file = await in_thread_to_the_end(_open, opened, self._path)
            file.seek(place)
            while place < self.end:
                count = min(READ_BYTES, self.end - place)
                block = await in_thread_to_the_end(_read, file, count, hashed)
                if not block:
                    raise StoreError(f"{self._path} is shorter than it should be")
                for at in range(0, len(block), PIECE_BYTES):
                    piece = block[at : at + PIECE_BYTES]
                    yield piece
                    place += len(piece)
                    self._told(place)
        self._sum = hashed.digest()

    async def checksum(self) -> bytes:
        """The MD5 of the bytes; they are read again if they were not read to their end."""
        if self._sum is None:
            again = Part(self._path, self.start, self.end)
            async for _ in again.pieces():
                pass
            self._sum = again._sum
        return self._sum or b""


def _open(opened: contextlib.ExitStack, path: Path) -> BinaryIO:
    return opened.enter_context(path.open("rb"))


def _read(file: BinaryIO, count: int, hashed: hashlib._Hash) -> bytes:
    block = file.read(count)
    hashed.update(block)
    return block
