"""HTTP servers of tests: each in a thread, on a free port of loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["QuietServer", "serving"]


class QuietServer(ThreadingHTTPServer):
    """Ends whatever its clients do."""

    daemon_threads = True
    block_on_close = False  # a client may keep its connection

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave are part of the tests."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[QuietServer]:
    """A server that answers while the context is open."""
    with QuietServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
