"""Events to bytes on the wire, for every API alike: a stream of pieces or one body.

What a piece looks like is a `Wire`'s business. Plain ASGI, for this is the token path: one event,
one encoding, one send.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.types import Receive, Scope, Send

from puna.errors import EngineError
from puna.server.faults import CLOSING, Envelope, Fault, attempt
from puna.server.until import Ending, until_unwanted

__all__ = ["BARE_JSON", "EVENT_STREAM", "JSON", "NDJSON", "Reply", "Wire"]

E = TypeVar("E")

JSON = b"application/json; charset=utf-8"
BARE_JSON = b"application/json"
NDJSON = b"application/x-ndjson"
EVENT_STREAM = b"text/event-stream"


@dataclass(frozen=True, slots=True)
class Wire(Generic[E]):
    """How one API writes the events of one answer. A wire may remember: it serves one request."""

    piece: Callable[[E], bytes]
    """One event of a stream, ready to send; empty when it is held back."""
    whole: Callable[[Sequence[E]], bytes]
    """All events as one body."""
    is_final: Callable[[E], bool]
    """Whether a stream may end after this event."""
    is_alone: Callable[[E], bool]
    """Whether this first event is the whole answer, and a plain body even where a stream was asked
    for."""
    envelope: Envelope
    stream_type: bytes = NDJSON
    whole_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Further headers of a stream."""
    idle: bytes = b""
    """What keeps a stream alive, for clients and proxies, while there is nothing to say."""
    idle_seconds: float = 15.0


class Reply(Generic[E]):
    """An ASGI response that draws its events as it sends them.

    The status waits for the first event, so that an early error has its own. A client that hangs up
    cancels the generator, streamed or not; so does the closing of the server, which the client is
    told.
    """

    def __init__(
        self, events: AsyncIterator[E], wire: Wire[E], *, stream: bool, closing: asyncio.Event
    ) -> None:
        self._events = events
        self._wire = wire
        self._stream = stream
        self._closing = closing
        self._begun = False
        self._is_over = False
        self._is_sending = False
        self._was_quiet = False
        """Whether nothing was sent since the watcher looked."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        serving = self._kept_alive(send) if self._stream and self._wire.idle else self._serve(send)
        ending = await until_unwanted(serving, receive, self._closing)
        if ending is Ending.CLOSING:
            await self._fail(CLOSING, send)

    async def _kept_alive(self, send: Send) -> None:
        """Serve, and say something where nothing was said for a while: then, an answer that has not
        begun begins, and what becomes an error is told in the stream.
        """
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(send))
            try:
                await self._serve(send)
            finally:
                watching.cancel()

    async def _watch(self, send: Send) -> None:
        while True:
            self._was_quiet = True
            await asyncio.sleep(self._wire.idle_seconds)
            if self._was_quiet and not self._is_sending and not self._is_over:
                if not self._begun:
                    await self._start_stream(send)
                await send(_body(self._wire.idle, more=True))

    async def _serve(self, send: Send) -> None:
        outcome = await attempt(self._produce(send))
        if isinstance(outcome, Fault):
            await self._fail(outcome, send)

    async def _produce(self, send: Send) -> None:
        async with _closed_after(self._events) as events:
            first = await anext(events, None)
            if first is None:
                raise EngineError("the answer ended before it began")
            if not self._begun and (not self._stream or self._wire.is_alone(first)):
                gathered = [first, *[event async for event in events]]
                self._check_end(gathered[-1])
                body = self._wire.whole(gathered)
                await self._send_body(200, body, self._wire.whole_type, send)
            else:
                await self._send_pieces(first, events, send)

    async def _send_pieces(self, first: E, events: AsyncIterator[E], send: Send) -> None:
        encode = self._wire.piece
        last, piece = first, encode(first)
        self._is_sending = True
        if not self._begun:
            await self._start_stream(send)
        if piece:
            await send(_body(piece, more=True))
        self._is_sending = self._was_quiet = False
        async for event in events:
            last, piece = event, encode(event)
            if piece:
                self._is_sending = True
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self._is_sending = self._was_quiet = False
        self._check_end(last)
        self._is_over = True
        await send(_body(b"", more=False))

    async def _start_stream(self, send: Send) -> None:
        headers = [(b"content-type", self._wire.stream_type), *self._wire.headers]
        await self._start(200, headers, send)

    def _check_end(self, last: E) -> None:
        if not self._wire.is_final(last):
            raise EngineError("the answer ended early")

    async def _fail(self, fault: Fault, send: Send) -> None:
        """Tell of a fault: with its status if nothing was sent yet, else as the stream's last
        piece."""
        envelope = self._wire.envelope
        self._is_over = True
        if self._begun:
            await send(_body(envelope.piece(fault), more=False))
            return
        content_type = self._wire.whole_type
        if self._stream:  # the charset tells validation from failure (API spec, 1.4)
            content_type = JSON if fault.status < 500 else BARE_JSON
        more = [(b"retry-after", b"%d" % fault.retry_after)] if fault.retry_after else []
        await self._send_body(fault.status, envelope.body(fault), content_type, send, more)

    async def _send_body(
        self,
        status: int,
        body: bytes,
        content_type: bytes,
        send: Send,
        more: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        length = str(len(body)).encode()
        headers = [(b"content-type", content_type), (b"content-length", length), *more]
        await self._start(status, headers, send)
        await send(_body(body, more=False))

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]], send: Send) -> None:
        self._begun = True
        await send({"type": "http.response.start", "status": status, "headers": headers})


def _body(piece: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": piece, "more_body": more}


@asynccontextmanager
async def _closed_after(events: AsyncIterator[E]) -> AsyncIterator[AsyncIterator[E]]:
    try:
        yield events
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()
