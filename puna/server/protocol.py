"""Uvicorn's HTTP protocol with bounds on the head of a request, which it lacks: bytes, seconds."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from puna.config import FOREVER

__all__ = ["HEAD_LIMIT", "bounded"]

HEAD_LIMIT = 64 * 1024
"""Bytes of the request line and the headers. Clients send one or two thousand."""

_REPLY = (
    b"HTTP/1.1 %b\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%b"
)


def bounded(head_seconds: float) -> type[HttpToolsProtocol]:
    """The protocol for connections whose heads must come within that time, a new connection's
    silence included; between two requests uvicorn's own timeout counts.
    """
    return type("Bounded", (_Bounded,), {"head_seconds": head_seconds})


class _HeadTooLarge(Exception):
    """Ends the parsing."""


class _Bounded(HttpToolsProtocol):
    head_seconds = FOREVER

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heads = 0  # that have begun
        self._received = 0  # bytes of the head that has begun, as they came
        self._parsed = 0  # and as far as they are lines
        self._in_head = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more, for a keep-alive neither: uvicorn would hold what was reset until then."""
        self._stop_timer()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; a line without an end is counted here, others as they are parsed."""
        heads = self._heads
        super().data_received(data)
        if self._in_head and self._heads == heads and not self.transport.is_closing():
            self._received += len(data)
            if self._received > HEAD_LIMIT:
                self._refuse("431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """A head begins."""
        self._heads += 1
        self._received = self._parsed = 0
        self._in_head = True
        if self._timer is None:
            self._start_timer()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what could not be parsed, with the status that it means."""
        if self._parsed > HEAD_LIMIT:
            self._refuse("431 Request Header Fields Too Large")
        else:
            super().send_400_response(msg)

    def _count(self, size: int) -> None:
        self._parsed += size
        if self._parsed > HEAD_LIMIT:
            raise _HeadTooLarge

    def _refuse(self, status: str) -> None:
        reason = status.encode()
        self.transport.write(_REPLY % (reason, len(reason), reason))
        self.transport.close()

    def _start_timer(self) -> None:
        if self.head_seconds != FOREVER:
            self._timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._in_head:
            self._refuse("408 Request Timeout")
        else:  # nothing ever came
            self.transport.close()
