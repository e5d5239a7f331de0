"""What one streamed token costs the server process: encoding and sending, in µs of CPU.

    python bench/stream_cost.py [tokens] [clients]

Two figures: the app alone (events to ASGI messages), and with uvicorn and a real socket. The
clients run in a
process of their own, so that their work is not counted.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import uvloop

from puna.api.events import Content, Done, Event
from puna.config import Host, Settings
from puna.server.listen import bind
from puna.server.main import run
from puna.server.services import Services
from tests.server.scripted import NOBODY, client


def talking(tokens: int) -> Services:
    """Services whose chat says `tokens` words, one in each turn of the loop."""

    async def chat(order: object) -> AsyncGenerator[Event, None]:
        word = Content(" token")
        for _ in range(tokens):
            await asyncio.sleep(0)
            yield word
        yield Done("stop", eval_tokens=tokens)

    return replace(NOBODY, chat=chat)


async def waiting(tokens: int) -> float:
    """CPU seconds of the same turns of the loop without a server: taken off the result."""
    begun = time.process_time()
    async for _ in talking(tokens).chat(object()):  # type: ignore[arg-type]
        pass
    return time.process_time() - begun


async def in_process(tokens: int) -> float:
    """CPU seconds of one stream through the whole app, to a send that does nothing."""
    app = client(services=talking(tokens)).app
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
    bodies = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, object]:
        if bodies:
            return bodies.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: object) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/api/chat", "query_string": b""}
    scope |= {"headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1)}
    begun = time.process_time()
    await app(scope, receive, send)
    return time.process_time() - begun


def read_streams(port: int, clients: int, lines: int) -> None:
    """Read that many streams at once, to their ends."""
    body = json.dumps({"model": "m", "messages": []}).encode()
    head = f"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + body)
        seen = 0
        while seen < lines:
            seen += (await reader.read(65536)).count(b'"done":')
        writer.close()

    async def everyone() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(one())

    asyncio.run(everyone())


async def over_sockets(tokens: int, clients: int, listener: socket.socket) -> float:
    """CPU seconds of the server process for all the clients' streams."""

    @asynccontextmanager
    async def open_services(settings: Settings) -> AsyncIterator[Services]:
        yield talking(tokens)

    used = 0.0
    port = listener.getsockname()[1]
    async with asyncio.TaskGroup() as group:
        server = group.create_task(run(Settings(log_level=40), listener, open_services))
        await asyncio.sleep(0.2)
        reader = multiprocessing.get_context("spawn").Process(
            target=read_streams, args=(port, clients, tokens + 1)
        )
        begun = time.process_time()
        reader.start()
        await asyncio.to_thread(reader.join)
        used = time.process_time() - begun
        server.cancel()
    return used


def main() -> None:
    """Measure and print."""
    tokens = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    idle = uvloop.run(waiting(tokens)) / tokens
    alone = uvloop.run(in_process(tokens)) / tokens
    print(f"one turn of the loop:           {idle * 1e6:6.1f} µs CPU per token (taken off below)")
    print(f"events to ASGI messages:        {(alone - idle) * 1e6:6.1f} µs CPU per token")
    each = tokens // clients
    with bind(Host(port=0)) as listener:
        total = uvloop.run(over_sockets(each, clients, listener)) / (each * clients)
    print(f"with uvicorn, {clients} sockets:        {(total - idle) * 1e6:6.1f} µs CPU per token")


if __name__ == "__main__":
    main()
