"""A client that calls an ASGI app in this process: whole answers, streams, and hanging up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass
class Call:
    """One request under way and what was sent for it."""

    chunks: list[bytes]
    unfinished: bool = False
    sent: list[Message] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Message:
        if self.chunks:
            body = self.chunks.pop(0)
            return {
                "type": "http.request",
                "body": body,
                "more_body": self.unfinished or bool(self.chunks),
            }
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        self.news.set()
        await asyncio.sleep(0)

    def hang_up(self) -> None:
        self.gone.set()

    async def until_sent(self, count: int) -> None:
        """Wait until the app has sent that many messages."""
        while len(self.sent) < count:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 5)

    @property
    def pieces(self) -> list[bytes]:
        """The non-empty body messages, one for each send."""
        found = (m.get("body", b"") for m in self.sent if m["type"] == "http.response.body")
        return [body for body in found if body]

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name.decode().lower(), value.decode()) for name, value in self.sent[0]["headers"]]

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


class Client:
    """Calls `app` as a client at 127.0.0.1 would."""

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1:11434") -> None:
        self.app = app
        self.host = host

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        chunks: Sequence[bytes] | None = None,
        unfinished: bool = False,
    ) -> AsyncIterator[Call]:
        """Start a request; leaving waits until the app has ended it.

        An unfinished body never ends.
        """
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        path, _, query = path.partition("?")
        fields = {"host": self.host} | (headers or {})
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in fields.items()],
            "client": ("127.0.0.1", 50000),
        }
        call = Call(list(chunks) if chunks is not None else [raw], unfinished)

        async def serve() -> None:
            await self.app(scope, call.receive, call.send)
            call.over.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(serve())
            yield call
            await asyncio.wait_for(call.over.wait(), 5)

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        chunks: Sequence[bytes] | None = None,
    ) -> Call:
        """Make a request and wait for its whole answer."""
        async with self.open(method, path, body, headers=headers, chunks=chunks) as call:
            pass
        return call
