"""A proxy on loopback that tunnels every CONNECT to one server, whatever host it names."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer

__all__ = ["ConnectProxy", "connect_proxy"]

PIECE = 64 * 1024


@dataclass
class ConnectProxy:
    """Where it listens, and the heads of the requests that came."""

    address: str = ""
    heads: list[bytes] = field(default_factory=list)


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def connect_proxy(target: str) -> Iterator[ConnectProxy]:
    """Start it; tunnels lead to `target`, an address `host:port`."""
    state = ConnectProxy()
    host, _, port = target.partition(":")

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while (line := self.rfile.readline()) not in {b"\r\n", b""}:
                head += line
            state.heads.append(head)
            if not head.startswith(b"CONNECT "):
                self.wfile.write(b"HTTP/1.1 405 Only CONNECT\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection((host, int(port))) as server:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_copy, args=(server, self.connection))
                back.start()
                _copy(self.connection, server)
                back.join()

    with _Server(("127.0.0.1", 0), Handler) as server:
        state.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until either side ends."""
    try:
        while piece := source.recv(PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
