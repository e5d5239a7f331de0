"""HTTP as the client needs it: JSON in and out, streams of lines, and errors as sentences.

The one module of the command line that knows the HTTP library. Facts: CLI spec, section 1.2.
"""

from __future__ import annotations

import ipaddress
import json
import platform
import ssl
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager

import httpx2

from puna import __version__
from puna.client.replies import Json, as_object, as_text
from puna.config import Host
from puna.errors import ClientError, Unreachable

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
    machine = platform.machine().lower()
    system = "windows" if sys.platform == "win32" else sys.platform
    python = platform.python_version()
    return f"puna/{__version__} ({_ARCHITECTURES.get(machine, machine)} {system}) Python/{python}"


class Transport:
    """One server's HTTP connection pool.

    Every method raises Unreachable when no server answers and ClientError for an error it answers.
    """

    def __init__(self, host: Host) -> None:
        self.host = host.connectable()
        is_local = is_this_machine(host)
        # Reading the system's certificates would take longer than all of `puna list`.
        no_certificates = is_local and host.scheme == "http"
        try:
            self._http = httpx2.Client(
                base_url=self.host.url,
                headers={"User-Agent": user_agent(), "Content-Type": "application/json"},
                timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
                verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if no_certificates else True,
                trust_env=not is_local,  # a proxy would not find our loopback
                follow_redirects=not is_local,
            )
        except httpx2.InvalidURL as error:
            raise Unreachable(f"invalid address {self.host.url}: {error}") from error

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def answers(self) -> bool:
        """Whether a server answers `HEAD /`. False if refused; raises for any other failure."""
        try:
            response = self._http.head("/", headers={"Accept": "application/json"})
        except httpx2.ConnectError as error:
            if _is_refusal(error):
                return False
            raise self._unreachable(error) from error
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _error(response, with_status=False)
        return True

    def send(self, method: str, path: str, body: Json | None = None) -> Json:
        """Send a request and return the JSON object of its answer; an empty answer is `{}`."""
        with self._failures():
            response = self._http.request(
                method, path, content=_encode(body), headers={"Accept": "application/json"}
            )
        if response.is_error:
            raise _error(response, with_status=False)
        return _decode(response.content) if response.content.strip() else {}

    def has(self, path: str) -> bool:
        """Whether `HEAD path` finds something."""
        with self._failures():
            response = self._http.head(path, headers={"Accept": "application/json"})
        if response.is_error and response.status_code != 404:
            raise _error(response, with_status=False)
        return response.is_success

    def upload(self, path: str, chunks: Iterable[bytes], byte_count: int) -> None:
        """POST `byte_count` raw bytes."""
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/octet-stream",
            "Content-Length": str(byte_count),
        }
        with self._failures():
            response = self._http.post(path, content=chunks, headers=headers)
        if response.is_error:
            raise _error(response, with_status=False)

    def lines(self, method: str, path: str, body: Json) -> Generator[Json, None, None]:
        """Send a request and yield the objects of its NDJSON answer.

        Closing the iterator hangs up, which cancels the request. An `error` line raises
        ClientError.
        """
        headers = {"Accept": "application/x-ndjson"}
        with (
            self._failures(),
            self._http.stream(method, path, content=_encode(body), headers=headers) as response,
        ):
            if response.is_error:
                response.read()
                raise _error(response, with_status=True)
            for raw in split_lines(response.iter_bytes()):
                line = _decode(raw)
                if problem := as_text(line, "error"):
                    raise ClientError(problem, response.status_code)
                yield line

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx2.HTTPError) -> Unreachable:
        if isinstance(error, httpx2.ConnectError):
            reason = "connection refused" if _is_refusal(error) else str(error)
            return Unreachable(f"could not connect to {self.host.url}: {reason}")
        if isinstance(error, httpx2.ConnectTimeout):
            return Unreachable(f"could not reach {self.host.url}: no answer in time")
        return Unreachable(f"lost the connection to {self.host.url}: {error}")


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


def _error(response: httpx2.Response, *, with_status: bool) -> ClientError:
    """What an error answer says; streams name the status line before it (CLI spec, section 1.2)."""
    body: Json = {}
    try:
        body = as_object(json.loads(response.content))
        message = as_text(body, "error")
    except ValueError:
        message = response.text.strip()
    line = f"{response.status_code} {response.reason_phrase}".strip()
    if with_status:
        message = line if response.status_code == 401 or not message else f"{line}: {message}"
    return ClientError(message or NO_TEXT, response.status_code, as_text(body, "signin_url"))


def _is_refusal(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        error = error.__cause__ or error.__context__
    return False
