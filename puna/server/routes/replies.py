"""The small answers that handlers give."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from puna.server.faults import Envelope
from puna.server.services import Kit
from puna.server.streams import JSON, Reply, Wire

__all__ = ["empty", "json_reply", "worked_reply"]


def json_reply(value: object) -> Response:
    """One JSON object."""
    return Response(msgspec.json.encode(value), headers={"content-type": JSON.decode()})


def empty(status: int = 200) -> Response:
    """A status and nothing more."""
    return Response(status_code=status)


def worked_reply(body: Callable[[], Awaitable[bytes]], kit: Kit, envelope: Envelope) -> ASGIApp:
    """An answer of one piece, which is worked for only as long as somebody waits for it."""

    async def once() -> AsyncIterator[bytes]:
        yield await body()

    wire: Wire[bytes] = Wire(
        piece=bytes,
        whole=lambda bodies: bodies[0],
        is_final=lambda body: True,
        is_alone=lambda body: True,
        envelope=envelope,
    )
    return Reply(once(), wire, stream=False, closing=kit.closing)
