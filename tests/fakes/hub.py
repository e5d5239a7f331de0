"""A stand-in for the Hugging Face Hub: file lists in pages, `resolve`, and a CDN beside it.

Two servers on loopback. What is large in a repository lies in the CDN, under signed addresses on
another host name and port; small files come from the Hub itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.serving import serving

__all__ = ["FakeHub", "Repository", "Seen", "fake_hub"]


@dataclass
class Repository:
    """Files by path. Those of `large` bytes and more have a digest in the list."""

    files: dict[str, bytes]
    access: Literal["public", "gated", "private"] = "public"
    large: int = 1000
    lies: dict[str, bytes] = field(default_factory=dict)
    """What is sent instead of some files."""


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. `server` is `hub` or `cdn`."""

    server: str
    path: str
    headers: dict[str, str]

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclass
class FakeHub:
    """The state of both servers; change it while they run."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    token: str = "hf_good"
    """Opens what is private or gated; `hf_other` is known, too, but opens nothing."""
    page: int = 1000
    """Files in one page of a list."""
    next_page: str = ""
    """Where a list is said to go on, instead of here."""
    ranges: bool = True
    link_uses: int = 1_000_000
    cuts: list[int] = field(default_factory=list)
    """After how many bytes the next answers of the CDN end early."""
    gate: threading.Event | None = None
    """Holds the CDN's answers after half of their bytes until it is set."""
    seen: list[Seen] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    """Bytes that the CDN sent of each file."""
    links: Counter[str] = field(default_factory=Counter)
    url: str = ""
    cdn: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, files: dict[str, bytes], **more: object) -> Repository:
        self.repositories[name] = Repository(files, **more)  # type: ignore[arg-type]
        return self.repositories[name]

    def requests(self, server: str, part: str = "") -> list[Seen]:
        return [each for each in self.seen if each.server == server and part in each.path]


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """Start both servers."""
    state = FakeHub()
    with serving(_handler(state, "hub")) as hub, serving(_handler(state, "cdn")) as cdn:
        state.url = f"http://127.0.0.1:{hub.server_port}"
        state.cdn = f"http://localhost:{cdn.server_port}"
        try:
            yield state
        finally:
            if state.gate is not None:
                state.gate.set()


def _handler(state: FakeHub, name: str) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        hub = state
        server_name = name

    return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub
    server_name: str

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        with self.hub.lock:
            self.hub.seen.append(Seen(self.server_name, path, headers))
        query = parse_qs(parts.query)
        if self.server_name == "cdn":
            self._stored(path, query)
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/main", path):
            self._tree(match[1], int(query.get("cursor", ["0"])[0]))
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/main/(.+)", path):
            self._resolve(match[1], match[2])
        else:
            self._send(404, b"no such page")

    def _opened(self, name: str, *, list_only: bool) -> Repository | None:
        """The repository, or an answer that says why not."""
        authorization = self.headers.get("Authorization", "")
        actual = next((key for key in self.hub.repositories if key.lower() == name.lower()), "")
        if actual and actual != name:
            place = self.path.replace(name, actual, 1)
            self._send(307, b"", {"Location": place})
            return None
        repository = self.hub.repositories.get(name)
        is_open = repository and (
            repository.access == "public" or (list_only and repository.access == "gated")
        )
        if is_open or (repository and authorization == f"Bearer {self.hub.token}"):
            return repository
        if authorization == "Bearer hf_other":
            is_gated = repository is not None and repository.access == "gated"
            self._send(403 if is_gated else 404, b'{"error":"not for you"}')
        else:
            realm = 'Bearer realm="Authentication required", charset="UTF-8"'
            self._send(401, b"Invalid username or password.", {"WWW-Authenticate": realm})
        return None

    def _tree(self, name: str, start: int) -> None:
        repository = self._opened(name, list_only=True)
        if repository is None:
            return
        entries = _entries(repository)
        end = start + self.hub.page
        headers = {}
        if end < len(entries):
            following = self.hub.next_page or f"{self.hub.url}{urlsplit(self.path).path}"
            headers["Link"] = f'<{following}?recursive=true&cursor={end}>; rel="next"'
        self._send(200, json.dumps(entries[start:end]).encode(), headers)

    def _resolve(self, name: str, path: str) -> None:
        repository = self._opened(name, list_only=False)
        if repository is None:
            return
        if path not in repository.files:
            self._send(404, b"Entry not found")
        elif len(repository.files[path]) < repository.large:
            self._send(200, repository.lies.get(path, repository.files[path]))
        else:
            with self.hub.lock:
                link = f"signature-{len(self.hub.links)}"
                self.hub.links[link] = self.hub.link_uses
            place = f"{self.hub.cdn}/{name}/{path}?signed={link}"
            self._send(302, b"", {"Location": place})

    def _stored(self, path: str, query: dict[str, list[str]]) -> None:
        link = query.get("signed", [""])[0]
        with self.hub.lock:
            self.hub.links[link] -= 1
            is_good = self.hub.links[link] >= 0
        if not is_good:
            self._send(403, b"the link has expired")
            return
        owner, repository, file = path.lstrip("/").split("/", 2)
        place = self.hub.repositories[f"{owner}/{repository}"]
        data = place.lies.get(file, place.files[file])
        start, end, status, headers = 0, len(data), 200, {}
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        if asked and self.hub.ranges:
            start, end, status = int(asked[1]), min(int(asked[2]) + 1, len(data)), 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        self._head(status, end - start, headers)
        with self.hub.lock:
            cut = self.hub.cuts.pop(0) if self.hub.cuts else None
        body = data[start:end]
        if cut is not None:
            body = body[:cut]
            self.close_connection = True
        middle = len(body) // 2
        self.wfile.write(body[:middle])
        if self.hub.gate is not None:
            self.hub.gate.wait()
        self.wfile.write(body[middle:])
        with self.hub.lock:
            self.hub.sent[file] += len(body)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, len(body), headers or {})
        self.wfile.write(body)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()


def _entries(repository: Repository) -> list[dict[str, object]]:
    folders = {path.rpartition("/")[0] for path in repository.files} - {""}
    entries: list[dict[str, object]] = [
        {"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in sorted(folders)
    ]
    for path, data in repository.files.items():
        git = hashlib.sha1(f"blob {len(data)}\0".encode() + data, usedforsecurity=False)
        entry: dict[str, object] = {
            "type": "file",
            "oid": git.hexdigest(),
            "size": len(data),
            "path": path,
        }
        if len(data) >= repository.large:
            digest = hashlib.sha256(data).hexdigest()
            entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
        entries.append(entry)
    return entries
