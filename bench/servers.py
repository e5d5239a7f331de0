"""Servers as processes on free ports, and one plain HTTP client for all of them.

Puna's server and llama-server get the same model, threads, cells and sampling; the client treats
both alike, so that its own cost is on both sides of every ratio.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = [
    "Answer",
    "LlamaServer",
    "PunaServer",
    "Room",
    "Server",
    "cpu_seconds",
    "llama_server",
    "puna_server",
]

HOST = "127.0.0.1"
MODEL = "bench"
START_SECONDS = 120.0
ANSWER_SECONDS = 1800.0
_USER_TICKS = 11  # field of /proc/PID/stat after the name; the system's follow
SAMPLING = {"temperature": 0.8, "top_k": 40, "top_p": 0.9, "min_p": 0.0, "seed": 7}


@dataclass(frozen=True)
class Room:
    """What both servers may use: `slots` contexts of `n_ctx` tokens, and threads."""

    n_ctx: int
    slots: int
    threads: int


@dataclass(frozen=True)
class Answer:
    """When the first text and the end came, in seconds, and what the server says it counted."""

    first: float
    total: float
    prompt_tokens: int
    tokens: int


class Server(Protocol):
    """A server that continues prompts."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    @property
    def pid(self) -> int:
        """Its process."""

    def ask(self, prompt: str, n_tokens: int) -> Answer:
        """Let it say `n_tokens`, streamed. Raises RuntimeError when it says fewer."""


@dataclass(frozen=True)
class PunaServer:
    """Puna, asked in its native API."""

    port: int
    pid: int
    room: Room
    name: str = "puna"

    def ask(self, prompt: str, n_tokens: int) -> Answer:
        """See Server."""
        options = {
            **SAMPLING,
            "num_predict": n_tokens,
            "num_ctx": self.room.n_ctx,
            "num_thread": self.room.threads,
        }
        order = {"model": MODEL, "prompt": prompt, "raw": True, "options": options}
        first, total, line = _stream(self.port, "/api/generate", order)
        last = json.loads(line)
        return _checked(
            Answer(first, total, last["prompt_eval_count"], last["eval_count"]), n_tokens
        )


@dataclass(frozen=True)
class LlamaServer:
    """llama-server, asked in its own API."""

    port: int
    pid: int
    name: str = "llama-server"

    def ask(self, prompt: str, n_tokens: int) -> Answer:
        """See Server."""
        order = {
            **SAMPLING,
            "prompt": prompt,
            "n_predict": n_tokens,
            "stream": True,
            "ignore_eos": True,
        }
        first, total, line = _stream(self.port, "/completion", order)
        last = json.loads(line.removeprefix(b"data: "))
        return _checked(
            Answer(first, total, last["tokens_evaluated"], last["tokens_predicted"]), n_tokens
        )


def _checked(answer: Answer, n_tokens: int) -> Answer:
    if answer.tokens != n_tokens:
        raise RuntimeError(f"{answer.tokens} tokens instead of {n_tokens}")
    return answer


def _stream(port: int, path: str, order: Mapping[str, Any]) -> tuple[float, float, bytes]:
    """Seconds to the first line and to the end, and the last line."""
    body = json.dumps(order).encode()
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    start = time.perf_counter()
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{path}: {response.status} {response.read()!r}")
        first, last = 0.0, b""
        for line in response:
            first = first or time.perf_counter() - start
            if line.strip():
                last = line
    finally:
        connection.close()
    return first, time.perf_counter() - start, last


@contextmanager
def puna_server(model: Path, room: Room, **settings: str) -> Iterator[PunaServer]:
    """Puna's server with the model installed and loaded; `settings` are environment variables."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "HOME": home,
            "PUNA_HOME": home,
            "PATH": _path(),
            "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
            "OLLAMA_NUM_PARALLEL": str(room.slots),
            **settings,
        }
        port = _free_port()
        environment["OLLAMA_HOST"] = f"{HOST}:{port}"
        command = [sys.executable, "-m", "puna", "serve"]
        with _running(command, port, "/api/version", environment) as pid:
            _install(port, model)
            server = PunaServer(port, pid, room)
            server.ask("Once", 4)
            yield server


@contextmanager
def llama_server(program: Path, model: Path, room: Room, **settings: str) -> Iterator[LlamaServer]:
    """llama-server with the model loaded; what `room` does not say is as by its default."""
    port = _free_port()
    command = [str(program), "--model", str(model), "--host", HOST, "--port", str(port)]
    command += ["--parallel", str(room.slots), "--ctx-size", str(room.slots * room.n_ctx)]
    command += ["--threads", str(room.threads), "--threads-batch", str(room.threads)]
    with _running(command, port, "/health", {"PATH": _path(), **settings}) as pid:
        server = LlamaServer(port, pid)
        server.ask("Once", 4)
        yield server


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children so far (Linux; 0 elsewhere)."""
    folder = Path(f"/proc/{pid}")
    if not folder.exists():
        return 0.0
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[_USER_TICKS]) + int(fields[_USER_TICKS + 1])
    children = " ".join(each.read_text() for each in folder.glob("task/*/children")).split()
    return ticks / os.sysconf("SC_CLK_TCK") + sum(cpu_seconds(int(child)) for child in children)


def _path() -> str:
    return f"{Path(sys.executable).parent}:/usr/bin:/bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(
    command: list[str], port: int, health: str, environment: Mapping[str, str]
) -> Iterator[int]:
    """The command as a process, from its first healthy answer to the end of the scope."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _is_healthy(port, health):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} did not start: {log.read()[-2000:]!r}")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_healthy(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _install(port: int, model: Path) -> None:
    """Upload a model file and make a model of it."""
    with model.open("rb") as file:
        digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        file.seek(0)
        size = {"content-length": str(model.stat().st_size)}
        _post(port, f"/api/blobs/{digest}", file, size)
    order = {"model": MODEL, "files": {model.name: digest}, "stream": False}
    _post(port, "/api/create", json.dumps(order).encode(), {})


def _post(port: int, path: str, body: Any, headers: dict[str, str]) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{path}: {response.status} {answer!r}")
    finally:
        connection.close()
