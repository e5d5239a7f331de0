"""HTTP as the client needs it: JSON in and out, streams of lines, and errors as sentences.

Short requests to this machine go over a plain socket (loopback.py); the HTTP library (web.py) is
imported for everything else, when it is first needed. Facts: CLI spec, section 1.2.
"""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING

from puna import __version__
from puna.client.fields import Json, as_object, as_text
from puna.client.loopback import Reply, exchange, is_refusal
from puna.config import Host
from puna.errors import ClientError, KeyWanted, Unreachable

if TYPE_CHECKING:
    from puna.client.web import Web

__all__ = ["Transport", "is_this_machine"]

LINE_LIMIT = 8_000_000
CONNECT_SECONDS = 5.0
NO_TEXT = "something went wrong, please see the puna server logs for details"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386"}


def is_this_machine(host: Host) -> bool:
    """Whether `host` is a loopback address, or one that means every interface."""
    name = host.connectable().name
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def user_agent() -> str:
    """Who calls: program, processor and system in Go's names, and the Python version."""
    if sys.platform == "win32":
        import platform  # noqa: PLC0415 - elsewhere nobody has to wait for it

        system, machine = "windows", platform.machine().lower()
    else:
        system, machine = sys.platform, os.uname().machine
    python = ".".join(map(str, sys.version_info[:3]))
    return f"puna/{__version__} ({_ARCHITECTURES.get(machine, machine)} {system}) Python/{python}"


class Transport:
    """One server's HTTP connections; `key` goes to it and to no other, wherever it redirects.

    Every method raises Unreachable when no server answers, KeyWanted where it wants another key,
    and ClientError for any other error it answers.
    """

    def __init__(self, host: Host, key: str = "") -> None:
        self.host = host.connectable()
        self._is_local = is_this_machine(host)
        self._headers = {"User-Agent": user_agent(), "Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._opened: Web | None = None

    def close(self) -> None:
        """Close every connection."""
        if self._opened is not None:
            self._opened.close()

    def answers(self) -> bool:
        """Whether a server answers `HEAD /`. False if refused; raises for any other failure."""
        try:
            reply = self._request("HEAD", "/", None)
        except Unreachable as error:
            if is_refusal(error):
                return False
            raise
        if reply.is_error:
            raise _error(reply, with_status=False)
        return True

    def send(self, method: str, path: str, body: Json | None = None) -> Json:
        """Send a request and return the JSON object of its answer; an empty answer is `{}`."""
        reply = self._request(method, path, _encode(body))
        if reply.is_error:
            raise _error(reply, with_status=False)
        return _decode(reply.body) if reply.body.strip() else {}

    def has(self, path: str) -> bool:
        """Whether `HEAD path` finds something."""
        reply = self._request("HEAD", path, None)
        if reply.is_error and reply.status != 404:
            raise _error(reply, with_status=False)
        return 200 <= reply.status < 300

    def upload(self, path: str, chunks: Iterable[bytes], byte_count: int) -> None:
        """POST `byte_count` raw bytes."""
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/octet-stream",
            "Content-Length": str(byte_count),
        }
        reply = self._web().request("POST", path, chunks, headers)
        if reply.is_error:
            raise _error(reply, with_status=False)

    def lines(self, method: str, path: str, body: Json) -> Generator[Json, None, None]:
        """Send a request and yield the objects of its NDJSON answer.

        Closing the iterator hangs up, which cancels the request. An `error` line raises
        ClientError.
        """
        headers = {"Accept": "application/x-ndjson"}
        with self._web().stream(method, path, _encode(body), headers) as stream:
            if stream.is_error:
                raise _error(stream.whole(), with_status=True)
            for raw in split_lines(stream.chunks()):
                line = _decode(raw)
                if problem := as_text(line, "error"):
                    raise ClientError(problem, stream.status)
                yield line

    def _request(self, method: str, path: str, body: bytes | None) -> Reply:
        headers = {"Accept": "application/json"}
        if not self._is_local or self.host.scheme != "http":
            return self._web().request(method, path, body, headers)
        url = self.host.url
        try:
            return exchange(
                self.host, method, path, body, {**self._headers, **headers}, CONNECT_SECONDS
            )
        except ConnectionRefusedError as error:
            raise Unreachable(f"could not connect to {url}: connection refused") from error
        except TimeoutError as error:
            raise Unreachable(f"could not reach {url}: no answer in time") from error
        except OSError as error:
            raise Unreachable(f"lost the connection to {url}: {error}") from error

    def _web(self) -> Web:
        if self._opened is None:
            from puna.client.web import Web  # noqa: PLC0415 - longer to import than `puna list` runs

            self._opened = Web(self.host, self._headers, CONNECT_SECONDS, is_local=self._is_local)
        return self._opened


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the non-empty lines of a byte stream. Raises ClientError over 8,000,000 bytes."""
    rest = bytearray()
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            rest += chunk[start:end]
            start = end + 1
            _check_length(rest)
            if rest.strip():
                yield bytes(rest)
            rest.clear()
        rest += chunk[start:]
        _check_length(rest)
    if rest.strip():
        yield bytes(rest)


def _check_length(line: bytearray) -> None:
    if len(line) > LINE_LIMIT:
        raise ClientError(f"the server sent a line of more than {LINE_LIMIT} bytes")


def _encode(body: Json | None) -> bytes | None:
    if body is None:
        return None
    # A pasted text may hold lone surrogates; they cannot be sent as UTF-8.
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _decode(raw: bytes) -> Json:
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise ClientError(f"the server's answer is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ClientError("the server's answer is not a JSON object")
    return value


def _error(reply: Reply, *, with_status: bool) -> ClientError | KeyWanted:
    """What an error answer says; streams name the status line before it (CLI spec, section 1.2)."""
    body: Json = {}
    try:
        body = as_object(json.loads(reply.body))
        message = as_text(body, "error")
    except ValueError:
        message = reply.body.decode("utf-8", "replace").strip()
    wanted = KeyWanted()
    if reply.status == wanted.status and message == str(wanted):
        return wanted
    line = f"{reply.status} {reply.reason}".strip()
    if with_status:
        message = line if reply.status == 401 or not message else f"{line}: {message}"
    return ClientError(message or NO_TEXT, reply.status, as_text(body, "signin_url"))
