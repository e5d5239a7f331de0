"""Reading what a client sends: JSON bodies under a cap, as bytes and as types; uploads piece by
piece.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import ParamSpec, TypeVar

from msgspec import Struct
from starlette.requests import Request

from puna.api.decode import decode
from puna.errors import Cancelled, TooLarge
from puna.server.bodies import ACCOUNT, Account
from puna.server.encodings import decompress
from puna.threads import in_thread

__all__ = [
    "JSON_LIMIT",
    "drain",
    "read_as",
    "read_body",
    "read_chunks",
    "read_counted",
    "translate",
]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=Struct)

JSON_LIMIT = 256 * 1024 * 1024
"""Bytes of a JSON body. The reference knows no limit; images travel inside, so ours is wide."""


_IN_THREAD = 64 * 1024
"""Bytes of JSON from which on others should not wait: millions of values take seconds to read."""


async def read_as(kind: type[T], request: Request) -> T:
    """The body as what it stands for. Raises as `read_body`, and BadRequest for what it is not."""
    body = await read_body(request)
    return await in_thread(decode, kind, body) if len(body) > _IN_THREAD else decode(kind, body)


async def translate(request: Request, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do `work` on what was read of the body: in a thread where that was much."""
    account: Account = request.scope[ACCOUNT]
    if account.size > _IN_THREAD:
        return await in_thread(work, *args, **kwargs)
    return work(*args, **kwargs)


async def read_body(request: Request, limit: int = JSON_LIMIT) -> bytes:
    """Read the whole body, decompressed where it came so.

    Raises TooLarge above `limit` bytes, TooManyBodies, Cancelled when the client goes away,
    BadRequest for what cannot be decompressed.
    """
    parts = [part async for part in read_counted(request, limit)]
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    encoding = request.headers.get("content-encoding", "")
    if not encoding:
        return body
    whole = await decompress(body, encoding, limit)
    account: Account = request.scope[ACCOUNT]
    account.add(len(whole) - len(body))
    return whole


async def drain(request: Request, limit: int) -> None:
    """Read the whole body and keep nothing of it. Raises TooLarge, Cancelled."""
    async for _ in _read_capped(request, limit):
        pass


async def read_counted(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body as it arrives, counted among all bodies that the server holds.

    Raises TooLarge above `limit` bytes, TooManyBodies, Cancelled when the client goes away.
    """
    account: Account = request.scope[ACCOUNT]
    async for part in _read_capped(request, limit):
        account.add(len(part))
        yield part


async def _read_capped(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise TooLarge(limit)
    size = 0
    async for part in read_chunks(request):
        size += len(part)
        if size > limit:
            raise TooLarge(limit)
        yield part


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
