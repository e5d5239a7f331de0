"""The real server as a process on a free port, with a home of its own, and a plain HTTP client.

Leaving `running_server` ends the server and fails the test if it left a process behind, ended badly
or wrote a traceback to its log.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.cli.support import environment

__all__ = [
    "Answer",
    "Server",
    "Stream",
    "digest_of",
    "end_processes",
    "free_port",
    "is_running",
    "processes",
    "running_server",
    "until",
]

SECONDS = 20.0
"""How long anything may take that a test waits for; on a busy machine a load takes seconds."""
POLL_SECONDS = 0.02


def until(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Wait until the condition holds; fails with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def digest_of(data: bytes) -> str:
    """The digest `sha256:…` of a blob."""
    return f"sha256:{sha256(data).hexdigest()}"


def processes(home: Path, word: str) -> list[int]:
    """Living processes with `word` in their command line whose HOME is `home`.

    The home is the test's own, and a runner inherits it: it is found whoever its parent is now.
    """
    mark = f"HOME={home}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended, or it is another user's
            is_ours = mark in (folder / "environ").read_bytes().split(b"\0")
            if is_ours and word.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return sorted(found)


def is_running(pid: int) -> bool:
    """Whether the process lives; a zombie does not."""
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


def end_processes(home: Path, word: str) -> None:
    """End the processes of `home` in order, and by force if that does not help."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes(home, word):
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
        with suppress(AssertionError):
            until(lambda: not processes(home, word), "the process ends", 10)
            return


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def error(self) -> str:
        """The text of an error, which comes alone."""
        value = self.json
        assert list(value) == ["error"], value
        return str(value["error"])


class Stream:
    """An answer that is still coming, line by line."""

    def __init__(
        self, connection: http.client.HTTPConnection, reply: http.client.HTTPResponse
    ) -> None:
        self._connection = connection
        self._reply = reply
        self.status = reply.status
        self.headers = reply.headers

    def __iter__(self) -> Iterator[Any]:
        while line := self._reply.readline():
            yield json.loads(line)

    def hang_up(self) -> None:
        """Close the connection, whatever is still to come."""
        self._reply.close()
        self._connection.close()


@dataclass
class Server:
    """A running server. `home` is its HOME; its log lies below."""

    process: subprocess.Popen[bytes]
    port: int
    home: Path
    store: Path
    env: dict[str, str]
    is_doomed: bool = field(default=False, init=False)
    """Set by a test that ends the server in its own way."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return (self.home / "server-output").read_text("utf-8", "replace")

    def runners(self) -> list[int]:
        """The process ids of its runners."""
        return processes(self.home, "puna.runner.worker")

    def files(self) -> set[str]:
        """Every file of the store; the lock file is none of its content."""
        paths = (path for path in self.store.rglob("*") if path.is_file())
        return {str(path.relative_to(self.store)) for path in paths} - {".puna.lock"}

    def request(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request and read the whole answer. Bytes go as they are, other bodies as JSON."""
        with self.open(method, path, body, headers) as (_, reply):
            return Answer(reply.status, reply.headers, reply.read())

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, **fields: object) -> Answer:
        """POST an object; a streamed answer is read to its end."""
        return self.request("POST", path, fields)

    def generate(self, model: str, prompt: str, **fields: object) -> str:
        """The greedy continuation of a prompt, which must succeed."""
        options = {"temperature": 0, **dict(fields.pop("options", {}))}  # type: ignore[call-overload]
        body = {"model": model, "prompt": prompt, "options": options, "stream": False, **fields}
        answer = self.request("POST", "/api/generate", body)
        assert answer.status == 200, answer.body
        return str(answer.json["response"])

    @contextmanager
    def stream(self, path: str, **fields: object) -> Iterator[Stream]:
        """POST an object and read the answer as it comes; leaving hangs up."""
        with self.open("POST", path, fields) as (connection, reply):
            yield Stream(connection, reply)

    @contextmanager
    def open(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Iterator[tuple[http.client.HTTPConnection, http.client.HTTPResponse]]:
        """Send a request on a connection of its own and wait for the head of its answer."""
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, raw, headers or {})
            with connection.getresponse() as reply:
                yield connection, reply
        finally:
            connection.close()

    def upload(self, data: bytes) -> str:
        """Send a blob; returns its digest."""
        digest = digest_of(data)
        answer = self.request("POST", f"/api/blobs/{digest}", data)
        assert answer.status in {200, 201}, answer.body
        return digest

    def create(self, name: str, gguf: Path, **fields: object) -> str:
        """Make a model of a file; returns its name."""
        files = {gguf.name: self.upload(gguf.read_bytes())}
        answer = self.post("/api/create", model=name, files=files, stream=False, **fields)
        assert answer.json == {"status": "success"}, answer.body
        return name

    @contextmanager
    def sent(self, path: str, **fields: object) -> Iterator[http.client.HTTPConnection]:
        """POST an object and do not wait for the answer; leaving hangs up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, json.dumps(fields))
            yield connection
        finally:
            connection.close()

    def loaded(self) -> list[str]:
        """The names that /api/ps shows."""
        return [model["name"] for model in self.get("/api/ps").json["models"]]

    def wait_until_idle(self) -> None:
        """Wait until no model is loaded and no runner lives."""
        until(lambda: not self.loaded() and not self.runners(), "every runner ends")

    def end(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end; the exit code."""
        self.is_doomed = True
        self.process.send_signal(sign)
        return self.process.wait(SECONDS)


@contextmanager
def running_server(
    home: Path, *, interface: str = "127.0.0.1", **variables: str
) -> Iterator[Server]:
    """Start a server with these environment variables, wait until it answers, end it afterwards."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    own = {
        "PUNA_HOME": str(home / "puna"),
        "OLLAMA_MODELS": str(home / "models"),
        "OLLAMA_HOST": f"{interface}:{port}",
    }
    env = environment(home, **{**own, **variables})
    with (home / "server-output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "puna", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=home,
            env=env,
        )
    server = Server(process, port, home, Path(env["OLLAMA_MODELS"]), env)
    try:
        until(lambda: _answers(server), "the server answers")
        yield server
        if not server.is_doomed:
            assert server.end() == 0, server.log
        until(lambda: not server.runners(), "every runner of the ended server ends")
        assert "Traceback" not in server.log, server.log
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        end_processes(home, "puna.runner.worker")


def _answers(server: Server) -> bool:
    assert server.process.poll() is None, server.log
    try:
        return server.get("/").body == b"Ollama is running"
    except ConnectionRefusedError:
        return False
