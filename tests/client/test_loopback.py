"""The plain HTTP of short requests, against a socket that answers what a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from puna.client.client import Client
from puna.client.loopback import BadAnswer, Reply, exchange
from puna.config import Host
from puna.errors import Unreachable


@contextmanager
def answering(raw: bytes) -> Iterator[Host]:
    """A server that reads one request and sends these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(raw)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Host(port=listener.getsockname()[1])
        thread.join()


ANSWERS: dict[str, tuple[bytes, Reply]] = {
    "a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}more", Reply(200, "OK", b"{}")),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'3;x=1\r\n{"a\r\n4\r\n":1}\r\n0\r\nT: 1\r\n\r\n',
        Reply(200, "OK", b'{"a":1}'),
    ),
    "up to its end": (
        b"HTTP/1.0 404 Not Found\r\n\r\nnothing",
        Reply(404, "Not Found", b"nothing"),
    ),
    "none": (b"HTTP/1.1 204 No Content\r\n\r\n", Reply(204, "No Content", b"")),
    "after a word in between": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\ncontent-length: 0\r\n\r\n",
        Reply(200, "", b""),
    ),
}


@pytest.mark.parametrize(("raw", "reply"), ANSWERS.values(), ids=ANSWERS)
def test_bodies_are_read_whole(raw: bytes, reply: Reply) -> None:
    with answering(raw) as host:
        assert exchange(host, "GET", "/", None, {}, 5) == reply


BROKEN = {
    "no HTTP": b"SSH-2.0-x\r\n\r\n",
    "nothing": b"",
    "a body that is cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
    "a length below zero": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "a length beyond measure": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    "a chunk beyond measure": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n"
    ),
    "a chunk without a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    "an endless line": b"HTTP/1.1 200 " + b"x" * 70_000,
    "endless headers": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200,
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_what_is_no_answer_is_an_error(raw: bytes) -> None:
    with answering(raw) as host, pytest.raises((BadAnswer, ConnectionError)):
        exchange(host, "GET", "/", None, {}, 5)


def test_the_client_says_so() -> None:
    with answering(b"SSH-2.0-x\r\n\r\n") as host, pytest.raises(Unreachable, match="not HTTP"):
        Client(host).version()
