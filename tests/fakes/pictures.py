"""A web server on loopback with pictures, redirects and whatever else is put there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.fakes.serving import serving

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@dataclass(frozen=True)
class Page:
    """An answer. Without `length` it does not say how long it is; with `hold` it never ends."""

    body: bytes = PNG
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "image/png"})
    length: bool = True
    hold: bool = False


@dataclass
class Web:
    """What is where, and the paths that were asked for."""

    port: int
    pages: dict[str, Page] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@contextmanager
def web() -> Iterator[Web]:
    """Serve until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            some.seen.append(self.path)
            page = some.pages.get(self.path, Page(b"", 404))
            self.send_response(page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            if page.length:
                self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            self.wfile.write(page.body)
            if page.hold:
                some.over.wait(30)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with serving(Handler) as server:
        some = Web(server.server_port)
        try:
            yield some
        finally:
            some.over.set()
