"""Copying and deleting models, and the blobs that clients upload.

Facts: API spec, sections 14 to 16.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from puna.api.requests import CopyRequest, DeleteRequest
from puna.errors import BadRequest, BlobNotFound, InvalidName, ModelNotFound, NotFound, quoted
from puna.models.blobs import BlobWriter
from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.name import Name, split_source
from puna.threads import in_thread, in_thread_to_the_end

__all__ = ["Management"]

_WRITE_BYTES = 4 * 1024 * 1024  # hashing a piece of this size outweighs the hop to a thread


class Management:
    """Changes to the store that need no model to run."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def copy(self, order: CopyRequest) -> None:
        """Give a model a second name. Raises BadRequest for bad names, NotFound."""
        source = _name(order.source, f"source {quoted(order.source)} is invalid")
        destination = _name(
            order.destination, f"destination {quoted(order.destination)} is invalid"
        )
        if source == destination:
            return
        try:
            await in_thread(self._library.copy, source, destination)
        except ModelNotFound:
            raise NotFound(f"model {quoted(order.source)} not found") from None

    async def delete(self, order: DeleteRequest) -> None:
        """Remove a model and the blobs only it used. Raises BadRequest, ModelNotFound."""
        reference = split_source(order.target)
        name = _name(reference.storable, f"name {quoted(order.target)} is invalid")
        try:
            await in_thread(self._library.delete, name)
        except ModelNotFound:
            raise ModelNotFound(order.target) from None

    async def has_blob(self, digest: str) -> bool:
        """True where the blob is there. Raises InvalidDigest, BlobNotFound."""
        if not await in_thread(self._library.blobs.has, Digest.parse(digest)):
            raise BlobNotFound(digest)
        return True

    async def upload_blob(self, digest: str, chunks: AsyncIterator[bytes]) -> bool:
        """Store a blob; True when it is new. Nothing stays of one that is not what it says.

        Raises InvalidDigest, DigestMismatch, StoreFull.
        """
        expected = Digest.parse(digest)
        if await in_thread(self._library.blobs.has, expected):
            return False
        with self._library.blobs.writer(expected) as writer:
            await _write_all(writer, chunks)
            written = await in_thread_to_the_end(writer.commit)
        return written.created


async def _write_all(writer: BlobWriter, chunks: AsyncIterator[bytes]) -> None:
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        if len(waiting) >= _WRITE_BYTES:
            await in_thread_to_the_end(writer.write, waiting)
            waiting = bytearray()
    if waiting:
        await in_thread_to_the_end(writer.write, waiting)


def _name(text: str, complaint: str) -> Name:
    try:
        return Name.parse(text)
    except InvalidName:
        raise BadRequest(complaint) from None
