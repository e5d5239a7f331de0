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
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.fakes.faulty_uploads import UploadHandler
from tests.fakes.registry_state import Fault, FaultyRegistry, Kind, Seen
from tests.fakes.serving import serving

__all__ = ["Fault", "FaultyRegistry", "Seen", "faulty_registry"]

CHUNK = 16 * 1024
EMPTY = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()


@contextmanager
def faulty_registry() -> Iterator[FaultyRegistry]:
    """Start both servers."""
    state = FaultyRegistry()
    with serving(_handler(state, "registry")) as one, serving(_handler(state, "store")) as other:
        state.address, state.store = (f"127.0.0.1:{each.server_port}" for each in (one, other))
        try:
            yield state
        finally:
            state.closing.set()
            state.gate.set()


def _handler(state: FaultyRegistry, name: str) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        registry = state
        server_name = name

    return Handler


class _Handler(UploadHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        state, parts, query = self.registry, urlsplit(self.path), self.note()
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
        elif match := re.fullmatch(r"/uploads/(\d+)", parts.path):
            self.upload_status(match[1])
        else:
            self.send(404, b"no such path")

    def _do_write(self) -> None:
        self.note()
        if self.server_name == "store":
            self.take_object()
        elif self.registry.wants_token and not self._is_known():
            self.read_body()
            self._challenge()
        else:
            self.write()

    do_HEAD = do_POST = do_PATCH = do_PUT = _do_write

    def _is_known(self) -> bool:
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        with self.registry.lock:
            self.registry.tokens[token] -= 1
            return self.registry.tokens[token] >= 0

    def _challenge(self) -> None:
        realm = self.registry.realm or f"http://{self.registry.address}/token"
        text = f'Bearer realm="{realm}",service="faulty",scope="repo:a:pull repo:b:pull"'
        self.send(401, b'{"errors":[]}', {"WWW-Authenticate": text})

    def _token(self) -> None:
        state = self.registry
        if (fault := state.next_fault("token")) is not None:
            self._broken(fault, b'{"token":"x"}')
            return
        signed = f"GET,http://{state.address}{self.path},{EMPTY}"
        if not _is_signed(self.headers.get("authorization", ""), signed):
            self.send(401, b"who are you?")
            return
        with state.lock:
            token = f"token-{len(state.tokens)}"
            state.tokens[token] = state.token_uses
        self.send(200, json.dumps({state.token_field: token}).encode())

    def _manifest(self, name: str) -> None:
        raw = self.registry.models.get(name)
        if (fault := self.registry.next_fault("manifest")) is not None:
            self._broken(fault, raw or b"")
        elif raw is None:
            self.send(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
        else:
            self.send(200, raw)

    def _blob(self, digest: str) -> None:
        state = self.registry
        if digest not in state.blobs:
            self.send(404, b"no such blob")
        elif state.redirects:
            with state.lock:
                link = f"signature-{len(state.links)}"
                state.links[link] = state.link_uses
            place = f"http://{state.store}/objects/{digest}?signed={link}"
            self.send(307, b"", {"Location": place})
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
            self.send(403, b"the link has expired")

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
            self.send(status, data[start:end], headers, digest)

    def send(
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
                self.send(fault.status, fault.body, dict(fault.headers))
            case "corrupt":
                wrong = body[:cut] + bytes([body[cut] ^ 1]) + body[cut + 1 :]
                self.send(status, wrong, headers, digest)
            case "range":
                self.send(206, body, {"Content-Range": f"bytes 1-{len(body)}/{len(body) + 1}"})
            case "truncate" | "reset" | "stall":
                self._head(status, len(body), headers)
                self._pour(body[:cut], digest)
                self.end(fault.kind)
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

    def end(self, kind: Kind) -> None:
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
