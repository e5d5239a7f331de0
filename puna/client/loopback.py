"""Short requests to a server on this machine, over a plain socket.

An HTTP library takes longer to import than all the rest of `puna list` takes to run. Streams,
uploads and servers elsewhere are web.py's.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import BinaryIO, NamedTuple

from puna.config import Host

__all__ = ["BadAnswer", "Reply", "exchange", "is_refusal"]

LINE_LIMIT = 1 << 16
HEAD_LINES = 100
BODY_LIMIT = 1 << 28


class Reply(NamedTuple):
    """A whole answer."""

    status: int
    reason: str
    body: bytes

    @property
    def is_error(self) -> bool:
        """Whether the status says so."""
        return self.status >= 400


class BadAnswer(OSError):
    """What came is not HTTP, or too much of it, or it ended too early."""


def is_refusal(error: BaseException | None) -> bool:
    """Whether a refused connection is the cause."""
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        error = error.__cause__ or error.__context__
    return False


def exchange(
    host: Host,
    method: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str],
    connect_seconds: float,
    read_seconds: float | None = None,
) -> Reply:
    """Send one request and read its answer. Raises OSError, of which BadAnswer is one."""
    lines = [f"{method} {host.path}{path} HTTP/1.1", f"Host: {host.authority}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body is not None else []
    head = "\r\n".join([*lines, "Connection: close", "", ""]).encode("ascii", "replace")
    with socket.create_connection((host.name, host.port), connect_seconds) as connection:
        connection.settimeout(read_seconds)
        connection.sendall(head + (body or b""))
        with connection.makefile("rb") as stream:
            return _read_reply(stream, has_body=method != "HEAD")


def _read_reply(stream: BinaryIO, *, has_body: bool) -> Reply:
    status, reason, fields = _read_head(stream)
    while 100 <= status < 200:
        status, reason, fields = _read_head(stream)
    if not has_body or status in {204, 304}:
        return Reply(status, reason, b"")
    if "chunked" in fields.get("transfer-encoding", "").lower():
        return Reply(status, reason, _read_chunks(stream))
    length = fields.get("content-length")
    if length is not None:
        return Reply(status, reason, _read_exactly(stream, _number(length, 10)))
    rest = stream.read(BODY_LIMIT + 1)
    if len(rest) > BODY_LIMIT:
        raise BadAnswer("the answer is too long")
    return Reply(status, reason, rest)


def _read_head(stream: BinaryIO) -> tuple[int, str, dict[str, str]]:
    version, _, rest = _read_line(stream).partition(" ")
    code, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit()):
        raise BadAnswer("the answer is not HTTP")
    fields: dict[str, str] = {}
    for _ in range(HEAD_LINES):
        line = _read_line(stream)
        if not line:
            return int(code), reason, fields
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    raise BadAnswer("the answer has too many headers")


def _read_line(stream: BinaryIO) -> str:
    line = stream.readline(LINE_LIMIT)
    if not line.endswith(b"\n"):
        raise BadAnswer(
            "the answer ended early" if len(line) < LINE_LIMIT else "a line is too long"
        )
    return line.rstrip(b"\r\n").decode("latin-1")


def _read_chunks(stream: BinaryIO) -> bytes:
    body = bytearray()
    while size := _number(_read_line(stream).partition(";")[0], 16):
        body += _read_exactly(stream, size, BODY_LIMIT - len(body))
        _read_line(stream)
    while _read_line(stream):
        pass  # trailers
    return bytes(body)


def _read_exactly(stream: BinaryIO, count: int, most: int = BODY_LIMIT) -> bytes:
    if count > most:
        raise BadAnswer("the answer is too long")
    data = stream.read(count)
    if len(data) != count:
        raise BadAnswer("the answer ended early")
    return data


def _number(text: str, base: int) -> int:
    try:
        value = int(text.strip(), base)
    except ValueError:
        value = -1
    if value < 0:
        raise BadAnswer("the answer has a length that is no number")
    return value
