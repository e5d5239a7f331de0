"""Fetches what requests name by an address of the web: public addresses only, and not much of it.

A name is resolved once, all its addresses are judged, and the connection goes to one of those: what
the name means afterwards does not matter. Redirects are judged like the first address.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpcore2

from puna.client.addresses import is_public
from puna.errors import FetchRefused

__all__ = ["ANY_PUBLIC", "Outside", "Resolve"]

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""All addresses of a name, numeric."""

ANY_PUBLIC = "on"
"""The entry that stands for every host with public addresses."""

_REDIRECTS = 3
_AT_ONCE = 8
_LOOKUPS = 4
_TOTAL_SECONDS = 20.0
_STEP_SECONDS = 10.0
_LONGEST_URL = 8192
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Outside:
    """A way to the web. Use it with `async with`.

    `hosts` are what may be asked: `on` for all with public addresses, and names (`name` or
    `name:port`) of hosts that may also have others.
    """

    def __init__(
        self, user_agent: str, hosts: Sequence[str], resolve: Resolve | None = None
    ) -> None:
        self._headers = [
            ("User-Agent", user_agent),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
        ]
        self._hosts = frozenset(host.lower() for host in hosts)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._threads = ThreadPoolExecutor(_LOOKUPS, "lookups")
        self._resolve = resolve or self._look_up
        self._ssl: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def fetch(
        self, url: str, most_bytes: int, kinds: Sequence[str], *, stays: bool = False
    ) -> bytes:
        """The body at `url`, of at most `most_bytes` and a content type that begins with one of
        `kinds`. With `stays`, redirects must not lead to another host. Raises FetchRefused.
        """
        try:
            async with asyncio.timeout(_TOTAL_SECONDS), self._slots:
                return await self._follow(url, most_bytes, kinds, stays=stays)
        except FetchRefused:  # which is a ValueError, too
            raise
        except TimeoutError:
            raise FetchRefused(url, f"it took longer than {_TOTAL_SECONDS:.0f} seconds") from None
        except (httpcore2.TimeoutException, httpcore2.NetworkError, OSError) as cause:
            raise FetchRefused(url, str(cause) or "no connection") from cause
        except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol, ValueError) as cause:
            raise FetchRefused(url, f"invalid address or answer: {cause}") from cause

    async def _follow(
        self, url: str, most_bytes: int, kinds: Sequence[str], *, stays: bool
    ) -> bytes:
        place = url
        for _ in range(_REDIRECTS + 1):
            found = await self._get(url, place, most_bytes, kinds)
            if isinstance(found, bytes):
                return found
            if place.startswith("https:") and not found.startswith("https:"):
                raise FetchRefused(url, "it leads from https to another scheme")
            if stays and _split(url, found)[1] != _split(url, url)[1]:
                raise FetchRefused(url, f"it leads to another host: {found}")
            place = found
        raise FetchRefused(url, f"more than {_REDIRECTS} redirects")

    async def _get(
        self, url: str, place: str, most_bytes: int, kinds: Sequence[str]
    ) -> bytes | str:
        """The body at `place`, or where it sends us."""
        scheme, host, port, target = _split(url, place)
        backend = _Pinned(await self._judged(url, host, port))
        context = await self._context() if scheme == "https" else None
        address = httpcore2.URL(scheme=scheme, host=host, port=port, target=target)
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), _STEP_SECONDS)
        async with (
            httpcore2.AsyncConnectionPool(ssl_context=context, network_backend=backend) as pool,
            pool.stream(
                "GET", address, headers=self._headers, extensions={"timeout": timeouts}
            ) as reply,
        ):
            headers = {name.lower(): value for name, value in reply.headers}
            if reply.status in {301, 302, 303, 307, 308} and b"location" in headers:
                return urljoin(place, headers[b"location"].decode("latin-1"))
            if reply.status != 200:
                raise FetchRefused(url, f"the server answered {reply.status}")
            kind = headers.get(b"content-type", b"").decode("latin-1").strip().lower()
            if not kind.startswith(tuple(kinds)):
                raise FetchRefused(url, "it has another content type")
            body = bytearray()
            async for chunk in reply.aiter_stream():
                body += chunk
                if len(body) > most_bytes:
                    raise FetchRefused(url, f"it is larger than {most_bytes} bytes")
            return bytes(body)

    async def _judged(self, url: str, host: str, port: int) -> Sequence[str]:
        """The addresses of a host; only if we may ask it, and all of them may be asked."""
        if {host, f"{host}:{port}"} & self._hosts:
            return await self._resolve(host, port)
        if ANY_PUBLIC not in self._hosts:
            raise FetchRefused(url, "its host is not one that PUNA_IMAGE_URLS names")
        addresses = await self._resolve(host, port)
        if not addresses or not all(map(is_public, addresses)):
            raise FetchRefused(url, "its host is not a public one")
        return addresses

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()

        def ask() -> list[str]:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return list(dict.fromkeys(str(row[4][0]) for row in found))

        return await loop.run_in_executor(self._threads, ask)

    async def _context(self) -> ssl.SSLContext:
        if self._ssl is None:
            loop = asyncio.get_running_loop()
            self._ssl = await loop.run_in_executor(self._threads, httpcore2.default_ssl_context)
        return self._ssl


def _split(url: str, place: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of an address. Raises FetchRefused, ValueError."""
    if len(place) > _LONGEST_URL or not place.isascii() or not place.isprintable():
        raise FetchRefused(url, "it is too long, or has characters that must be escaped")
    parts = urlsplit(place)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise FetchRefused(url, "it is no http or https address")
    if parts.username is not None or parts.password is not None:
        raise FetchRefused(url, "it holds a name or a password")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme], target


class _Pinned(httpcore2.AsyncNetworkBackend):
    """Connections to addresses that were judged, whatever name the request has."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Try the addresses in order."""
        failure: Exception = httpcore2.ConnectError(f"no address of {host}")
        for address in self._addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout=timeout)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as cause:
                failure = cause
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait, between tries."""
        await asyncio.sleep(seconds)
