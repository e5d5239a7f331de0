"""A real HTTP server on loopback: answers from a table of scripted replies, keeps what came in."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType

from tests.fakes.serving import QuietServer

Json = dict[str, object]


@dataclass(frozen=True)
class Reply:
    """One answer: a `body` (JSON or bytes), or NDJSON `lines`; `hold` leaves the stream open."""

    body: object = b""
    status: int = 200
    lines: Sequence[Json] | None = None
    hold: bool = False
    pause: float = 0.0
    location: str = ""


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


@dataclass
class Script:
    """What to answer, and what happened. A list is used up one by one; its last reply stays."""

    replies: dict[str, Reply | list[Reply]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, request: Seen) -> Reply:
        with self.lock:
            self.seen.append(request)
            found = self.replies.get(f"{request.method} {request.path}")
            if isinstance(found, list):
                return found.pop(0) if len(found) > 1 else found[0]
        if found is not None:
            return found
        if request.path == "/":
            return Reply(b"Ollama is running")
        return Reply({"error": f"no reply for {request.method} {request.path}"}, status=404)


class ScriptedServer:
    """Use it with `with`: serves `script` at `url` in threads."""

    def __init__(self, replies: dict[str, Reply | list[Reply]] | None = None) -> None:
        self.script = Script(dict(replies or {}))
        script = self.script

        class Handler(_Handler):
            pass

        Handler.script = script
        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def requests(self, path: str) -> list[Json]:
        """The JSON bodies that arrived at `path`."""
        return [seen.json for seen in self.script.seen if seen.path == path and seen.body]

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.script.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    script: Script

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        seen = Seen(self.command, self.path, dict(self.headers), self.rfile.read(length))
        reply = self.script.next(seen)
        if reply.lines is not None:
            self._stream(reply)
            return
        raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(raw)))
        if reply.location:
            self.send_header("Location", reply.location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    do_GET = do_HEAD = do_POST = do_DELETE = answer

    def _stream(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for line in reply.lines or ():
                self._chunk(json.dumps(line).encode() + b"\n")
                self.script.ended.wait(reply.pause)
            while reply.hold and not self.script.ended.wait(0.05):
                self._chunk(b"\n")  # an empty line means nothing, but shows who is still there
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.script.hung_up.set()
            self.close_connection = True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()
