"""The server's end of a runner's socket: frames out, whole frames in, each handed on at once."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Self, cast

import msgspec

from puna.errors import EngineError
from puna.runner.wire import (
    HEAD,
    FromRunner,
    ToRunner,
    encode_frame,
    frame_length,
    from_runner,
)

__all__ = ["Link"]

log = logging.getLogger(__name__)


class Link(asyncio.Protocol):
    """Frames to and from one runner. A stream of asyncio's would wake a task for each of them,
    which costs the engine's threads more than all that is done with it."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        """Set when nothing comes any more."""
        self._transport: asyncio.Transport | None = None
        self._deliver: Callable[[FromRunner], None] = lambda _: None
        self._received = bytearray()

    @classmethod
    async def open(cls, sock: socket.socket) -> Self:
        """Make a link of a connected socket, which belongs to it from now on."""
        _, link = await asyncio.get_running_loop().create_connection(cls, sock=sock)
        return link

    def listen(self, deliver: Callable[[FromRunner], None]) -> None:
        """Say who gets what comes. Nothing may come before."""
        self._deliver = deliver

    def send(self, message: ToRunner) -> None:
        """Send a frame. Requests are small against the socket's buffer, and a runner always reads:
        nothing waits. Raises EngineError for one that is too large."""
        if self._transport is not None:
            self._transport.write(encode_frame(message))

    def close(self) -> None:
        """End the connection. Idempotent."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._received += data
        try:
            while (frame := self._next_frame()) is not None:
                self._deliver(from_runner.decode(frame))
        except (EngineError, msgspec.MsgspecError) as error:
            log.error("a runner sent what is not a message: %s", error)
            self._received.clear()
            self.close()

    def _next_frame(self) -> bytes | None:
        if len(self._received) < HEAD:
            return None
        end = HEAD + frame_length(bytes(self._received[:HEAD]))
        if len(self._received) < end:
            return None
        frame = bytes(self._received[HEAD:end])
        del self._received[:end]
        return frame

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.closed.set()
