"""The side of the faulty registry that is written to: uploads in parts, mounts, manifests."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.fakes.registry_client import digest_of
from tests.fakes.registry_state import Fault, FaultyRegistry, Kind, Seen

READ = 64 * 1024
NO_UPLOAD = b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'


class UploadHandler(BaseHTTPRequestHandler):
    """Handles what is not GET; the rest of the handler sends."""

    registry: FaultyRegistry
    server_name: str

    def send(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, digest: str = ""
    ) -> None:
        raise NotImplementedError

    def end(self, kind: Kind) -> None:
        raise NotImplementedError

    def note(self) -> dict[str, list[str]]:
        """Keep the request; returns its query."""
        parts = urlsplit(self.path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        with self.registry.lock:
            self.registry.seen.append(
                Seen(self.server_name, parts.path, query, headers, self.command)
            )
        return query

    def read_body(self, limit: int | None = None) -> bytes:
        """What comes with the request, or its beginning."""
        left = int(self.headers.get("content-length") or 0)
        left = left if limit is None else min(left, limit)
        body, speed = bytearray(), self.registry.bytes_per_second
        with self._counted(left):
            while left > 0 and (piece := self.rfile.read(min(left, READ))):
                body += piece
                left -= len(piece)
                if speed:
                    time.sleep(len(piece) / speed)
        return bytes(body)

    @contextmanager
    def _counted(self, size: int) -> Iterator[None]:
        """Count the bodies that come in at once."""
        state = self.registry
        with state.lock:
            state.busy += bool(size)
            state.busiest = max(state.busiest, state.busy)
        try:
            yield
        finally:
            with state.lock:
                state.busy -= bool(size)

    def write(self) -> None:
        """Do what the request asks for."""
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        if match := re.fullmatch(r"/v2/([^/]+/[^/]+)/manifests/(.+)", parts.path):
            self._put_manifest(f"{match[1]}:{match[2]}")
        elif match := re.fullmatch(r"/v2/[^/]+/[^/]+/blobs/(sha256:[0-9a-f]{64})", parts.path):
            self._has(match[1])
        elif re.fullmatch(r"/v2/[^/]+/[^/]+/blobs/uploads/", parts.path):
            self._begin(query)
        elif match := re.fullmatch(r"/uploads/(\d+)", parts.path):
            self._part(match[1]) if self.command == "PATCH" else self._commit(match[1], query)
        else:
            self.read_body()
            self.send(404, b"no such path")

    def _fails(self, fault: Fault | None) -> bool:
        """Whether the fault has answered already."""
        if fault is None or fault.kind in {"cut", "lost", "nowhere", "hold"}:
            return False
        self.read_body()
        if fault.kind == "status":
            self.send(fault.status, fault.body, dict(fault.headers))
        else:
            self.end(fault.kind)
        return True

    def _answer(
        self, fault: Fault | None, status: int, body: bytes, headers: dict[str, str]
    ) -> None:
        if fault is not None and fault.kind == "lost":
            self.end("reset")
            return
        if fault is not None and fault.kind == "nowhere":
            headers = {}
        self.send(status, body, headers)

    def _place(self, number: str) -> str:
        path = f"/uploads/{number}?state={len(self.registry.uploads.get(number, b''))}"
        return path if self.registry.relative else f"http://{self.registry.address}{path}"

    def _has(self, digest: str) -> None:
        data = self.registry.blobs.get(digest)
        if self._fails(self.registry.next_fault("head")):
            return
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()

    def _begin(self, query: dict[str, list[str]]) -> None:
        state = self.registry
        fault = state.next_fault("start")
        if self._fails(fault):
            return
        self.read_body()
        digest = query.get("mount", [""])[0]
        if state.mounts and digest in state.blobs:
            self._answer(fault, 201, b"", {"Location": f"http://{state.address}/blob"})
            return
        with state.lock:
            number = str(len(state.uploads))
            state.uploads[number] = bytearray()
        headers = {"Location": self._place(number)}
        if state.signs is not None and self.headers.get("x-redirect-uploads") == "2":
            headers["X-Direct-Upload-URL"] = f"http://{state.store}/direct/{number}"
            headers |= {f"X-Signed-Header-{name}": value for name, value in state.signs.items()}
        self._answer(fault, 202, b"", headers)

    def upload_status(self, number: str) -> None:
        """How much has come of an upload."""
        state = self.registry
        if self._fails(state.next_fault("status")):
            return
        if not state.tells_status:
            self.send(405, b"not offered")
        elif number not in state.uploads:
            self.send(404, NO_UPLOAD)
        else:
            last = max(len(state.uploads[number]) - 1, 0)
            headers = {"Range": f"0-{last}", "Location": self._place(number)}
            self.send(204, b"", headers)

    def _part(self, number: str) -> None:
        state = self.registry
        fault = state.next_fault("part")
        if self._fails(fault):
            return
        data = state.uploads.get(number)
        if data is None:
            self.read_body()
            self.send(404, NO_UPLOAD)
            return
        first, last = (int(each) for each in self.headers["content-range"].split("-"))
        body = self.read_body(fault.after if fault and fault.kind == "cut" else None)
        if state.redirects_parts:
            place = f"http://{state.store}/parts/{number}/{first}"
            headers = {"Location": place, "Docker-Upload-Location": self._place(number)}
            self._answer(fault, 307, b"", headers)
            return
        if first != len(data):
            self.send(416, b"another place")
            return
        with state.lock:
            state.received += len(body)
            data += body
        if fault is not None and fault.kind == "cut":
            self.end("reset")
            return
        if fault is not None and fault.kind == "hold":
            state.gate.wait()
        assert len(body) == last - first + 1
        self._answer(fault, 202, b"", {"Location": self._place(number)})

    def take_object(self) -> None:
        """A part that was sent to the object store."""
        state = self.registry
        fault = state.next_fault("object")
        if self._fails(fault):
            return
        if match := re.fullmatch(r"/direct/(\d+)", self.path):
            body = self.read_body()
            with state.lock:
                state.received += len(body)
                state.uploads[match[1]] = bytearray(body)
            self._answer(fault, 200, b"", {})
            return
        match = re.fullmatch(r"/parts/(\d+)/(\d+)", self.path)
        assert match
        assert self.command == "PUT"
        body = self.read_body()
        start = int(match[2])
        with state.lock:
            state.received += len(body)
            data = state.uploads[match[1]]
            data.extend(bytes(max(0, start + len(body) - len(data))))
            data[start : start + len(body)] = body
        self._answer(fault, 200, b"", {})

    def _commit(self, number: str, query: dict[str, list[str]]) -> None:
        state = self.registry
        fault = state.next_fault("commit")
        if self._fails(fault):
            return
        self.read_body()
        data = state.uploads.get(number)
        if data is None:
            self.send(404, NO_UPLOAD)
            return
        digest = digest_of(bytes(data))
        if query["digest"] != [digest]:
            self.send(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
            return
        with state.lock:
            state.blobs[digest] = bytes(data)
            del state.uploads[number]
            state.uploads[f"done {number}"] = bytearray()
        self._answer(fault, 201, b"", {"Location": f"http://{state.address}/blob"})

    def _put_manifest(self, name: str) -> None:
        state = self.registry
        fault = state.next_fault("manifest")
        if self._fails(fault):
            return
        raw = self.read_body()
        named = json.loads(raw)
        digests = [each["digest"] for each in (*named["layers"], named["config"])]
        if any(digest not in state.blobs for digest in digests):
            self.send(400, b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}')
            return
        state.models[name] = raw
        self._answer(fault, 201, b"", {})


def etag_of(data: bytes, ends: list[int]) -> str:
    """What an object store calls a file of parts that end there."""
    starts = [0, *ends[:-1]]
    sums = [hashlib.md5(data[a:b]).digest() for a, b in zip(starts, ends, strict=True)]
    return f"{hashlib.md5(b''.join(sums)).hexdigest()}-{len(sums)}"
