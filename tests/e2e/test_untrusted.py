"""Hostile and broken requests on the real server: each costs its sender, and nobody else."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.server import SECONDS, Server, running_server
from tests.e2e.test_vision import create_seer
from tests.fakes.pictures import Page, web
from tests.fakes.projectors import make_image

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.e2e

HI: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
CALM = {"temperature": 0, "max_tokens": 8}
ROUTES = {
    "/api/chat": HI,
    "/api/generate": {"prompt": "Hi"},
    "/api/embed": {"input": "Hi"},
    "/v1/chat/completions": HI,
    "/v1/completions": {"prompt": "Hi"},
    "/v1/embeddings": {"input": "Hi"},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": HI | {"max_tokens": 2},
}


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits a second for its clients."""
    with running_server(tmp_path_factory.mktemp("home"), PUNA_READ_TIMEOUT="1s") as started:
        yield started


class Wire:
    """A connection, byte by byte."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *reason: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> bytes:
        """All that comes until the server closes."""
        out = b""
        while True:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                return out
            if not piece:
                return out
            out += piece

    def status(self) -> int:
        """The status of an answer after which the server closes."""
        return int(self.read().split(b" ", 2)[1])


def ask(server: Server, head: bytes, body: bytes = b"") -> int:
    with Wire(server) as wire:
        wire.send(head + b"\r\n\r\n" + body)
        return wire.status()


CHAT = b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nConnection: close"
HEADS = {
    "two lengths": (CHAT + b"\r\nContent-Length: 2\r\nContent-Length: 2", 400),
    "different lengths": (CHAT + b"\r\nContent-Length: 2\r\nContent-Length: 5", 400),
    "a list of lengths": (CHAT + b"\r\nContent-Length: 2, 2", 400),
    "a negative length": (CHAT + b"\r\nContent-Length: -1", 400),
    "a length in words": (CHAT + b"\r\nContent-Length: two", 400),
    "a length with a sign": (CHAT + b"\r\nContent-Length: +2", 400),
    "a length past 64 bits": (CHAT + b"\r\nContent-Length: 99999999999999999999", 400),
    "a huge length": (CHAT + b"\r\nContent-Length: 9999999999999999", 413),
    "a length and chunks": (CHAT + b"\r\nContent-Length: 2\r\nTransfer-Encoding: chunked", 400),
    "an odd transfer encoding": (CHAT + b"\r\nTransfer-Encoding: chunked, identity", 400),
    "no method": (b"/api/chat HTTP/1.1\r\nHost: localhost", 400),
    "a broken header": (CHAT + b"\r\nno colon here", 400),
    "bytes in the path": (b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost", 400),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "a long path": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost", 431),
    "a long header": (CHAT + b"\r\nX-Long: " + b"a" * 70_000, 431),
    "many headers": (CHAT + b"\r\nX-Many: aaaaaaaaaa" * 5_000, 431),
}


@pytest.mark.parametrize(("head", "status"), HEADS.values(), ids=HEADS)
def test_heads(server: Server, head: bytes, status: int) -> None:
    assert ask(server, head, b"{}") == status
    assert server.get("/").status == 200


def test_a_header_without_end_is_cut(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(CHAT + b"\r\nX-Endless: ")
        try:
            for _ in range(40):
                wire.send(b"a" * 65_536)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert wire.read()[:12] in {b"HTTP/1.1 431", b""}
    assert server.get("/").status == 200


@pytest.mark.parametrize(
    "beginning",
    [b"", b"POST /api/chat HTTP/1.1\r\nHo", b"POST /api/chat HTTP/1.1\r\nHost: a\r\nX-A: b\r\n"],
    ids=["silence", "half a line", "no end"],
)
def test_slow_heads_are_not_waited_for(hasty: Server, beginning: bytes) -> None:
    with Wire(hasty) as wire:
        wire.send(beginning)
        assert wire.read()[:12] == (b"HTTP/1.1 408" if beginning else b"")


def test_a_head_that_trickles_is_not_waited_for(hasty: Server) -> None:
    with Wire(hasty) as wire:
        try:
            for byte in b"GET / HTTP/1.1\r\nX-Slow: " + b"a" * 1000:
                wire.send(bytes([byte]))
                time.sleep(0.02)
        except (BrokenPipeError, ConnectionResetError):
            return
    pytest.fail("the server read it all")


@pytest.mark.parametrize("path", ["/api/chat", "/v1/responses", "/api/blobs/sha256:" + "0" * 64])
@pytest.mark.parametrize("sent", [b"", b'{"model":'], ids=["nothing", "a beginning"])
def test_slow_bodies_are_not_waited_for(hasty: Server, path: str, sent: bytes) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    with Wire(hasty) as wire:
        wire.send(head.encode() + sent)
        reply = wire.read()
        assert reply.startswith(b"HTTP/1.1 408")
        assert b"came too slowly" in reply


def test_a_silent_client_of_a_kept_connection_may_come_back(hasty: Server) -> None:
    with hasty.open("GET", "/") as (connection, reply):
        reply.read()
        time.sleep(1.5)
        connection.request("GET", "/api/tags")
        assert connection.getresponse().status == 200


def test_others_are_served_beside_many_slow_clients(hasty: Server) -> None:
    wires = [Wire(hasty) for _ in range(200)]
    try:
        for number, wire in enumerate(wires):
            wire.send(b"POST /api/chat HTTP/1.1\r\nContent-Length: 9\r\n" + b"\r\n" * (number % 2))
        assert hasty.get("/").status == 200
        for wire in wires:
            assert wire.read().startswith(b"HTTP/1.1 408")
    finally:
        for wire in wires:
            wire.socket.close()


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "zstd": ("zstd", zstd.compress),
}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("encoding", ENCODERS)
def test_compressed_bodies_are_read(server: Server, path: str, encoding: str) -> None:
    name, encode = ENCODERS[encoding]
    body = encode(json.dumps({"model": "no-such-model"} | ROUTES[path]).encode())
    answer = server.request("POST", path, body, {"Content-Encoding": name})
    assert answer.status == 404
    assert b"no-such-model" in answer.body


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("encoding", ENCODERS)
def test_bombs_are_refused_in_the_routes_own_form(server: Server, path: str, encoding: str) -> None:
    name, encode = ENCODERS[encoding]
    answer = server.request(
        "POST", path, encode(b" " * 30_000_000 + b"{}"), {"Content-Encoding": name}
    )
    assert answer.status == 413
    assert is_error_of(path, answer.json)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("encoding", "status"), [("gzip", 400), ("zstd", 400), ("br", 415), ("gzip, zstd", 415)]
)
def test_what_cannot_be_decompressed_is_refused(
    server: Server, path: str, encoding: str, status: int
) -> None:
    answer = server.request("POST", path, b'{"model":"tiny"}', {"Content-Encoding": encoding})
    assert answer.status == status
    assert is_error_of(path, answer.json)


def is_error_of(path: str, body: Any) -> bool:
    """Whether it is an error in the form of the route's API."""
    if path.startswith("/v1/messages"):
        return body["type"] == "error" and bool(body["error"]["message"])
    if path.startswith("/v1/"):
        return list(body["error"]) == ["message", "type", "param", "code"]
    return list(body) == ["error"] and isinstance(body["error"], str)


BODIES = {
    "lists in lists": b'{"model":"tiny","options":{"stop":' + b"[" * 300 + b"]" * 300 + b"}}",
    "objects in objects": b'{"model":"tiny","x":' + b'{"a":' * 300 + b"1" + b"}" * 301,
    "deeper than any stack": b"[" * 1_000_000,
    "very many values": b'{"model":"tiny","x":[' + b"0," * 4_000_001 + b"0]}",
    "no UTF-8": b'{"model":"\xff\xfe"}',
    "half a pair": b'{"model":"\\ud800"}',
    "a number past everything": b'{"model":"tiny","options":{"seed":1e999}}',
    "a number of many digits": b'{"model":"tiny","options":{"seed":' + b"9" * 5000 + b"}}",
}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_bodies(server: Server, path: str, body: bytes) -> None:
    answer = server.request("POST", path, body)
    assert answer.status in {400, 404, 500}
    assert is_error_of(path, answer.json)
    assert b"internal server error" not in answer.body


def test_images_from_the_web_stay_outside(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """With everything public allowed, this machine is not asked; a host that is named is."""
    home, picture = tmp_path_factory.mktemp("home"), make_image(seed=1)

    def look(server: Server, url: str) -> Any:
        parts = [{"type": "image_url", "image_url": {"url": url}}]
        body = {"model": "seer", "messages": [{"role": "user", "content": parts}], **CALM}
        return server.request("POST", "/v1/chat/completions", body).json

    with web() as inside, web() as named:
        inside.pages["/a.png"] = named.pages["/a.png"] = Page(picture)
        named.pages["/away"] = Page(b"", 302, {"Location": inside.url("/a.png")})
        hosts = f"on,127.0.0.1:{named.port}"
        with running_server(home, PUNA_IMAGE_URLS=hosts) as server:
            create_seer(server, home)
            for host in ("127.0.0.1", "localhost", "[::ffff:7f00:1]", "0x7f000001"):
                told = look(server, inside.url("/a.png", host))["error"]
                assert "not a public one" in told["message"]
            assert "not a public one" in look(server, named.url("/away"))["error"]["message"]
            assert inside.seen == []
            data = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
            seen = [look(server, url)["choices"][0] for url in (named.url("/a.png"), data)]
            assert seen[0] == seen[1]
            assert named.seen == ["/away", "/a.png"]
