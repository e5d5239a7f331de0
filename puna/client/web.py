"""HTTP by httpx2: streams, uploads, and servers elsewhere with TLS and proxies."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import httpx2

from puna.client.loopback import Reply, is_refusal
from puna.config import Host
from puna.errors import Unreachable

__all__ = ["Stream", "Web"]


class Stream:
    """An answer that is still coming."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.is_error = response.is_error
        self.status = response.status_code

    def whole(self) -> Reply:
        """Read it to its end."""
        return _whole(self._response, self._response.read())

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, as they come."""
        return self._response.iter_bytes()


class Web:
    """One server's connection pool. Every method raises Unreachable when no server answers."""

    def __init__(
        self, host: Host, headers: Mapping[str, str], connect_seconds: float, *, is_local: bool
    ) -> None:
        self._url = host.url
        # Reading the system's certificates takes longer than most commands.
        no_certificates = is_local and host.scheme == "http"
        try:
            self._http = httpx2.Client(
                base_url=host.url,
                headers=dict(headers),
                timeout=httpx2.Timeout(None, connect=connect_seconds),
                verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if no_certificates else True,
                trust_env=not is_local,  # a proxy would not find our loopback
                follow_redirects=not is_local,
            )
        except httpx2.InvalidURL as error:
            raise Unreachable(f"invalid address {host.url}: {error}") from error

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        content: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
    ) -> Reply:
        """Send a request and read the whole answer."""
        with self._failures():
            response = self._http.request(method, path, content=content, headers=dict(headers))
        return _whole(response, response.content)

    @contextmanager
    def stream(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> Iterator[Stream]:
        """Send a request and yield its answer; leaving hangs up."""
        with (
            self._failures(),
            self._http.stream(method, path, content=content, headers=dict(headers)) as response,
        ):
            yield Stream(response)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx2.HTTPError) -> Unreachable:
        if isinstance(error, httpx2.ConnectError):
            reason = "connection refused" if is_refusal(error) else str(error)
            return Unreachable(f"could not connect to {self._url}: {reason}")
        if isinstance(error, httpx2.ConnectTimeout):
            return Unreachable(f"could not reach {self._url}: no answer in time")
        return Unreachable(f"lost the connection to {self._url}: {error}")


def _whole(response: httpx2.Response, body: bytes) -> Reply:
    return Reply(response.status_code, response.reason_phrase, body)
