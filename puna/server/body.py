"""Reading what a client sends: whole JSON bodies under a cap, uploads piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request

from puna.errors import Cancelled, TooLarge
from puna.server.bodies import ACCOUNT, Account
from puna.server.encodings import decompress

__all__ = ["JSON_LIMIT", "check_length", "drain", "read_body", "read_chunks"]

JSON_LIMIT = 256 * 1024 * 1024
"""Bytes of a JSON body. The reference knows no limit; images travel inside, so ours is wide."""


async def read_body(request: Request, limit: int = JSON_LIMIT) -> bytes:
    """Read the whole body, decompressed where it came so.

    Raises TooLarge above `limit` bytes, TooManyBodies, Cancelled when the client goes away,
    BadRequest for what cannot be decompressed.
    """
    check_length(request, limit)
    account: Account = request.scope[ACCOUNT]
    parts: list[bytes] = []
    size = 0
    async for part in read_chunks(request):
        size += len(part)
        if size > limit:
            raise TooLarge(limit)
        account.add(len(part))
        parts.append(part)
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    encoding = request.headers.get("content-encoding", "")
    if not encoding:
        return body
    whole = await decompress(body, encoding, limit)
    account.add(len(whole) - len(body))
    return whole


async def drain(request: Request, limit: int) -> None:
    """Read the whole body and keep nothing of it. Raises TooLarge, Cancelled."""
    check_length(request, limit)
    size = 0
    async for part in read_chunks(request):
        size += len(part)
        if size > limit:
            raise TooLarge(limit)


def check_length(request: Request, limit: int) -> None:
    """Raises TooLarge where the client says that it sends more than `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise TooLarge(limit)


async def read_chunks(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives, never empty pieces. Raises Cancelled when the client goes away."""
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Cancelled
        more = message.get("more_body", False)
        if part := message.get("body", b""):
            yield part
