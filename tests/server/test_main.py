"""The server on a real socket, with scripted services."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from puna import __version__
from puna.api.events import Content, Done, Event
from puna.config import Host, Settings
from puna.server.listen import bind
from puna.server.main import run as run_server
from puna.server.services import Services
from tests.server.scripted import NOBODY, Held, run, said


@pytest.fixture(autouse=True)
def _deaf() -> Iterator[None]:
    """A signal that comes when the server has already ended must not end the test run."""
    old = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)
    }
    yield
    for number, handler in old.items():
        signal.signal(number, handler)


Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(
    port: int,
    method: str,
    path: str,
    body: dict[str, object] | None = None,
    connection: str = "close",
) -> Wire:
    raw = b"" if body is None else json.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: {connection}\r\n"
    writer.write(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)
    return reader, writer


async def ask(port: int, method: str, path: str, body: dict[str, object] | None = None) -> bytes:
    reader, writer = await connect(port, method, path, body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def serve(
    services: Services, scene: Callable[[int], Coroutine[Any, Any, None]], drain: float = 0.0
) -> list[str]:
    """Run a scene against the server, end it with SIGTERM, and tell what was opened and closed."""
    told: list[str] = []

    @asynccontextmanager
    async def open_services(settings: Settings) -> AsyncIterator[Services]:
        told.append("opened")
        try:
            yield services
        finally:
            told.append("closed")

    async def play(listener: socket.socket) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(run_server(Settings(drain_timeout=drain), listener, open_services))
            try:
                await scene(listener.getsockname()[1])
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

    with bind(Host(port=0)) as listener:
        run(play(listener))
    return told


def test_answers_come_over_a_socket_and_a_signal_is_a_normal_end() -> None:
    async def scene(port: int) -> None:
        root = await ask(port, "GET", "/")
        assert root.startswith(b"HTTP/1.1 200 OK\r\n")
        assert root.endswith(b"\r\n\r\nOllama is running")
        assert b"\r\nserver:" not in root.lower()
        head = await ask(port, "HEAD", "/api/blobs/x")
        assert head.startswith(b"HTTP/1.1 404")
        assert head.endswith(b"\r\n\r\n")
        stream = await ask(port, "POST", "/api/chat", {"model": "m"})
        assert b"transfer-encoding: chunked" in stream
        assert stream.count(b'"done":false}\n') == 2
        assert stream.endswith(b"}\n\r\n0\r\n\r\n")

    services = replace(NOBODY, chat=said(Content("a"), Content("b"), Done("stop")))
    assert serve(services, scene) == ["opened", "closed"]


def test_hanging_up_on_a_socket_cancels() -> None:
    async def scene(port: int) -> None:
        reader, writer = await connect(port, "POST", "/api/chat", {"model": "m"})
        await reader.readuntil(b'"done":false}\n')
        writer.close()
        await asyncio.wait_for(held.cleaned.wait(), 5)

    held = Held(Content("a"))
    serve(replace(NOBODY, chat=held), scene)
    assert held.cancelled


def connections() -> int:
    """The server's connections that something holds."""
    gc.collect()
    return sum(isinstance(each, HttpToolsProtocol) for each in gc.get_objects())


def kept() -> tuple[int, int, int]:
    """Tasks, the server's connections and descriptors of this process (Linux)."""
    held = connections()
    return len(asyncio.all_tasks()), held, len(list(Path("/proc/self/fd").iterdir()))


def exceeds(now: tuple[int, ...], before: tuple[int, ...]) -> bool:
    """Whether there is more of anything; what other tests left may go at any time."""
    return any(a > b for a, b in zip(now, before, strict=True))


RESETS: dict[str, tuple[str, bytes]] = {
    "in the middle of a stream": ("POST", b'"done":false}\n'),
    "after an answer, while it is kept for the next": ("GET", b"Ollama is running"),
}


@pytest.mark.parametrize(("method", "end"), RESETS.values(), ids=RESETS)
def test_nothing_stays_of_a_connection_that_is_reset(method: str, end: bytes) -> None:
    async def scene(port: int) -> None:
        others = connections()
        await ask(port, "GET", "/")  # what is kept on purpose is there now
        while connections() > others:  # noqa: ASYNC110 - the server may not have looked yet
            await asyncio.sleep(0.01)
        before = kept()
        path, body = ("/api/chat", {"model": "m"}) if method == "POST" else ("/", None)
        reader, writer = await connect(port, method, path, body, "keep-alive")  # type: ignore[arg-type]
        await reader.readuntil(end)
        assert exceeds(kept(), before)
        at_once = struct.pack("ii", 1, 0)  # closing sends a reset instead of a farewell
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()
        del reader, writer
        while exceeds(kept(), before):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)

    held = Held(Content("a"))
    serve(replace(NOBODY, chat=held), scene)
    assert held.cancelled == (method == "POST"), "so its lease has ended"


def test_a_signal_ends_running_streams_with_an_error_line() -> None:
    async def scene(port: int) -> None:
        reader, writer = await connect(port, "POST", "/api/chat", {"model": "m"})
        await reader.readuntil(b'"done":false}\n')
        os.kill(os.getpid(), signal.SIGTERM)
        rest = await asyncio.wait_for(reader.read(), 5)
        assert b'{"error":"server is shutting down"}\n' in rest
        assert rest.endswith(b"0\r\n\r\n")
        writer.close()
        os.kill(os.getpid(), signal.SIGINT)  # impatience changes nothing

    held = Held(Content("a"))
    assert serve(replace(NOBODY, chat=held), scene) == ["opened", "closed"]
    assert held.cancelled


def test_a_signal_lets_running_streams_end_and_sends_others_away() -> None:
    async def scene(port: int) -> None:
        reader, writer = await connect(port, "POST", "/api/chat", {"model": "m"})
        await reader.readuntil(b'"done":false}\n')
        os.kill(os.getpid(), signal.SIGTERM)
        while b"200 OK" in (late := await ask(port, "GET", "/")):
            pass
        assert late.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 10\r\n" in late.lower()
        assert late.endswith(b'{"error":"server is shutting down"}')
        openai = await ask(port, "POST", "/v1/chat/completions", {"model": "m"})
        assert b'"message":"server is shutting down"' in openai
        going_on.set()
        assert b'"done_reason":"stop"' in await asyncio.wait_for(reader.read(), 5)
        writer.close()

    async def chat(order: object) -> AsyncGenerator[Event, None]:
        yield Content("a")
        await going_on.wait()
        yield Done("stop")

    going_on = asyncio.Event()
    assert serve(replace(NOBODY, chat=chat), scene, drain=20.0) == ["opened", "closed"]


@pytest.mark.parametrize("drain", [0.2, 1e6], ids=["the limit", "a second signal"])
def test_waiting_for_streams_ends(drain: float) -> None:
    async def scene(port: int) -> None:
        reader, writer = await connect(port, "POST", "/api/chat", {"model": "m"})
        await reader.readuntil(b'"done":false}\n')
        os.kill(os.getpid(), signal.SIGTERM)
        if drain > 1:
            while b"200 OK" in await ask(port, "GET", "/"):
                pass
            os.kill(os.getpid(), signal.SIGINT)
        rest = await asyncio.wait_for(reader.read(), 5)
        assert b'{"error":"server is shutting down"}\n' in rest
        writer.close()

    held = Held(Content("a"))
    assert serve(replace(NOBODY, chat=held), scene, drain=drain) == ["opened", "closed"]
    assert held.cancelled


@pytest.mark.parametrize("loop", ["uvloop"])
def test_the_faster_loop_serves_too(loop: str) -> None:
    """The same scene on the loop that `serve` takes where it is installed."""
    module = pytest.importorskip(loop)
    told: list[str] = []

    @asynccontextmanager
    async def open_services(settings: Settings) -> AsyncIterator[Services]:
        yield replace(NOBODY, chat=said(Content("a"), Done("stop")))
        told.append("closed")

    async def play(listener: socket.socket) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(run_server(Settings(), listener, open_services))
            answer = await ask(listener.getsockname()[1], "POST", "/api/chat", {"model": "m"})
            assert answer.endswith(b"}\n\r\n0\r\n\r\n")
            os.kill(os.getpid(), signal.SIGTERM)

    with bind(Host(port=0)) as listener, asyncio.Runner(loop_factory=module.new_event_loop) as it:
        it.run(asyncio.wait_for(play(listener), 20))
    assert told == ["closed"]


PROGRAM = """
import sys
from contextlib import asynccontextmanager
from puna.config import Host, Settings
from puna.server.main import serve
from tests.server.scripted import NOBODY

@asynccontextmanager
async def open_services(settings):
    yield NOBODY
    print("closed")

serve(
    Settings(
        host=Host(port=int(sys.argv[1])),
        warnings=("odd setting",),
        hf_token="hf-secret",
        api_keys=("key-secret",),
    ),
    open_services,
)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_announces_itself_and_exits_with_0(number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_signals,
    )
    assert server.stderr is not None
    said = [server.stderr.readline()]
    while said[-1] and "Listening" not in said[-1]:
        said.append(server.stderr.readline())
    assert 'msg="server config" env="map[' in said[0]
    assert f"OLLAMA_HOST:http://127.0.0.1:{port} " in said[0]
    assert "HF_TOKEN:… " in said[0]
    assert "PUNA_API_KEY:… " in said[0]
    assert "secret" not in said[0]
    assert "level=WARN" in said[1]
    assert said[-1].endswith(f'msg="Listening on 127.0.0.1:{port} (version {__version__})"\n')
    assert run(ask(port, "GET", "/")).endswith(b"Ollama is running")
    server.send_signal(number)
    output, rest = server.communicate(timeout=20)
    assert (server.returncode, output) == (0, "closed\n")
    assert "msg=request status=200 latency=" in rest
    assert "Traceback" not in rest


def hear_signals() -> None:
    """Undo in a child what `_deaf` did: it would inherit it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
