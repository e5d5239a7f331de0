"""A registry that speaks the reference's dialect and fails as it is told to.

Two servers on loopback: the registry, and the object store that it may redirect to. Faults are used
up one by one, each by one request; what comes after the last is served well.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.fakes.registry_client import PackedModel

Kind = Literal["status", "truncate", "reset", "stall", "corrupt", "range", "hold", "trickle"]
CHUNK = 16 * 1024
EMPTY = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer, `after` so many bytes of its body.

    `status` is sent instead of the answer; `stall` sends no more for good, `hold` until the gate
    opens; `trickle` goes on byte by byte; `corrupt` turns one byte; `range` serves other bytes than
    those that were asked for.
    """

    kind: Kind
    after: int = 0
    status: int = 503
    body: bytes = b"out of order"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. `server` is `registry` or `store`."""

    server: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclass
class FaultyRegistry:
    """The state of both servers; change it while they run."""

    models: dict[str, bytes] = field(default_factory=dict)
    """`namespace/model:reference` to the manifest's bytes."""
    blobs: dict[str, bytes] = field(default_factory=dict)
    wants_token: bool = False
    realm: str = ""
    """Where tokens are said to be had; here, unless it is set."""
    token_field: str = "token"
    token_uses: int = 1_000_000
    """How many requests a token is good for."""
    redirects: bool = False
    """Whether blobs lie in the object store, under addresses that are good for `link_uses`."""
    link_uses: int = 1_000_000
    ranges: bool = True
    bytes_per_second: float = 0.0
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """`manifest`, `token` or `blob` to what goes wrong with the next requests."""
    seen: list[Seen] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    """Bytes sent of each blob."""
    gate: threading.Event = field(default_factory=threading.Event)
    address: str = ""
    store: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    tokens: Counter[str] = field(default_factory=Counter)
    links: Counter[str] = field(default_factory=Counter)
    closing: threading.Event = field(default_factory=threading.Event)

    def add(self, repository: str, model: PackedModel, tag: str = "latest") -> str:
        """Offer a model; returns its full name."""
        self.models[f"{repository}:{tag}"] = model.raw
        self.blobs |= model.blobs
        return f"{self.address}/{repository}:{tag}"

    def requests(self, part: str, server: str = "registry") -> list[Seen]:
        """Those with `part` in their path."""
        return [each for each in self.seen if part in each.path and each.server == server]

    def next_fault(self, kind: str) -> Fault | None:
        with self.lock:
            waiting = self.faults.get(kind)
            return waiting.pop(0) if waiting else None


@contextmanager
def faulty_registry() -> Iterator[FaultyRegistry]:
    """Start both servers."""
    state = FaultyRegistry()
    servers = [_start(state, "registry"), _start(state, "store")]
    state.address, state.store = (f"127.0.0.1:{server.server_port}" for server, _ in servers)
    try:
        yield state
    finally:
        state.closing.set()
        state.gate.set()
        for server, thread in servers:
            server.shutdown()
            thread.join()
            server.server_close()


def _start(state: FaultyRegistry, name: str) -> tuple[ThreadingHTTPServer, threading.Thread]:
    class Handler(_Handler):
        registry = state
        server_name = name

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    return server, thread


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: FaultyRegistry
    server_name: str

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        state, parts = self.registry, urlsplit(self.path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        with state.lock:
            state.seen.append(Seen(self.server_name, parts.path, query, headers))
        if self.server_name == "store":
            self._stored(parts.path.rpartition("/")[2], query)
        elif parts.path == "/token":
            self._token()
        elif state.wants_token and not self._is_known():
            self._challenge()
        elif match := re.fullmatch(r"/v2/([^/]+/[^/]+)/manifests/(.+)", parts.path):
            self._manifest(f"{match[1]}:{match[2]}")
        elif match := re.fullmatch(r"/v2/[^/]+/[^/]+/blobs/(sha256:[0-9a-f]{64})", parts.path):
            self._blob(match[1])
        else:
            self._send(404, b"no such path")

    # -- who asks

    def _is_known(self) -> bool:
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        with self.registry.lock:
            self.registry.tokens[token] -= 1
            return self.registry.tokens[token] >= 0

    def _challenge(self) -> None:
        realm = self.registry.realm or f"http://{self.registry.address}/token"
        text = f'Bearer realm="{realm}",service="faulty",scope="repo:a:pull repo:b:pull"'
        self._send(401, b'{"errors":[]}', {"WWW-Authenticate": text})

    def _token(self) -> None:
        state = self.registry
        if (fault := state.next_fault("token")) is not None:
            self._broken(fault, b'{"token":"x"}')
            return
        signed = f"GET,http://{state.address}{self.path},{EMPTY}"
        if not _is_signed(self.headers.get("authorization", ""), signed):
            self._send(401, b"who are you?")
            return
        with state.lock:
            token = f"token-{len(state.tokens)}"
            state.tokens[token] = state.token_uses
        self._send(200, json.dumps({state.token_field: token}).encode())

    # -- what is served

    def _manifest(self, name: str) -> None:
        raw = self.registry.models.get(name)
        if (fault := self.registry.next_fault("manifest")) is not None:
            self._broken(fault, raw or b"")
        elif raw is None:
            self._send(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
        else:
            self._send(200, raw)

    def _blob(self, digest: str) -> None:
        state = self.registry
        if digest not in state.blobs:
            self._send(404, b"no such blob")
        elif state.redirects:
            with state.lock:
                link = f"signature-{len(state.links)}"
                state.links[link] = state.link_uses
            place = f"http://{state.store}/objects/{digest}?signed={link}"
            self._send(307, b"", {"Location": place})
        else:
            self._bytes(digest)

    def _stored(self, digest: str, query: dict[str, list[str]]) -> None:
        link = query.get("signed", [""])[0]
        with self.registry.lock:
            self.registry.links[link] -= 1
            is_good = self.registry.links[link] >= 0
        if is_good:
            self._bytes(digest)
        else:
            self._send(403, b"the link has expired")

    def _bytes(self, digest: str) -> None:
        data = self.registry.blobs[digest]
        start, end, status, headers = 0, len(data), 200, {}
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        if asked and self.registry.ranges:
            start, end, status = int(asked[1]), min(int(asked[2]) + 1, len(data)), 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        fault = self.registry.next_fault("blob")
        if fault is not None:
            self._broken(fault, data[start:end], status, headers, digest)
        else:
            self._send(status, data[start:end], headers, digest)

    # -- how it is sent

    def _send(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, digest: str = ""
    ) -> None:
        self._head(status, len(body), headers or {})
        self._pour(body, digest)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _pour(self, body: bytes, digest: str) -> None:
        speed = self.registry.bytes_per_second if digest else 0.0
        for at in range(0, len(body), CHUNK):
            piece = body[at : at + CHUNK]
            self.wfile.write(piece)
            if digest:
                with self.registry.lock:
                    self.registry.sent[digest] += len(piece)
            if speed:
                time.sleep(len(piece) / speed)

    def _broken(
        self,
        fault: Fault,
        body: bytes,
        status: int = 200,
        headers: dict[str, str] | None = None,
        digest: str = "",
    ) -> None:
        headers = headers or {}
        cut = fault.after
        match fault.kind:
            case "status":
                self._send(fault.status, fault.body, dict(fault.headers))
            case "corrupt":
                wrong = body[:cut] + bytes([body[cut] ^ 1]) + body[cut + 1 :]
                self._send(status, wrong, headers, digest)
            case "range":
                self._send(206, body, {"Content-Range": f"bytes 1-{len(body)}/{len(body) + 1}"})
            case "truncate" | "reset" | "stall":
                self._head(status, len(body), headers)
                self._pour(body[:cut], digest)
                self._end(fault.kind)
            case "trickle":
                self._head(status, len(body), headers)
                self._pour(body[:cut], digest)
                for at in range(cut, len(body)):
                    self._pour(body[at : at + 1], digest)
                    if self.registry.closing.wait(0.02):
                        break
            case "hold":
                self._head(status, len(body), headers)
                self._pour(body[:cut], digest)
                self.registry.gate.wait()
                self._pour(body[cut:], digest)

    def _end(self, kind: Kind) -> None:
        self.wfile.flush()
        if kind == "stall":
            self.registry.closing.wait()
        if kind == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True


def _is_signed(header: str, text: str) -> bool:
    """Whether the header is `<public key>:<signature of the text>`."""
    public, _, signature = header.partition(":")
    try:
        # the last 32 bytes of an SSH public key are the key itself
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public)[-32:])
        key.verify(base64.b64decode(signature), text.encode())
    except (ValueError, InvalidSignature):
        return False
    return True
