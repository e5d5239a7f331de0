"""HTTP as registries need it: streamed both ways, nothing followed, answers bounded.

The one module of the room that knows the HTTP library. Proxies come from the environment.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import httpcore2
import httpx2

from puna.errors import NotInRegistry, RegistryError, RegistryUnreachable
from puna.models.registry.retry import Overloaded

__all__ = ["Body", "Reply", "Transport", "beginning", "refusal"]

CONNECT_SECONDS = 30.0
STALL_SECONDS = 30.0
CONNECTIONS = 64
MAX_REFUSAL_BYTES = 4096

# The library's own 64 KiB at a time cost a third more of the event loop's time.
httpcore2.AsyncHTTP11Connection.READ_NUM_BYTES = 256 * 1024

Body = Callable[[], AsyncGenerator[bytes, None]]
"""Gives what to send, from its beginning, each time that it is sent."""

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Reply:
    """The head of an answer; its body is read once, in pieces or as a whole."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.url = str(response.request.url)
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    @property
    def is_redirect(self) -> bool:
        """Whether it sends us elsewhere."""
        return self.status in {301, 302, 303, 307, 308} and "location" in self.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, undecoded."""
        with _failures(self.url):
            async for chunk in self._response.aiter_raw():
                yield chunk

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises RegistryError over `limit` bytes."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise RegistryError(f"{_shown(self.url)}: the answer is larger than {limit} bytes")
        return bytes(body)


class Transport:
    """Connections to registries. Use it with `async with`; they are opened when needed."""

    def __init__(self, user_agent: str, stall_seconds: float = STALL_SECONDS) -> None:
        self._user_agent = user_agent
        self._timeout = httpx2.Timeout(stall_seconds, connect=CONNECT_SECONDS, pool=None)
        self._clients: dict[bool, httpx2.AsyncClient] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    @asynccontextmanager
    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        body: Body | None = None,
        verify: bool = True,
        patience: float | None = None,
    ) -> AsyncIterator[Reply]:
        """Send a request; leaving before the answer was read drops the connection.

        The headers name the length of a body. `patience` is how many seconds an answer may take
        where that is not the usual time. Raises RegistryUnreachable, also when nothing comes for
        too long.
        """
        client = self._client(verify)
        own = {"User-Agent": self._user_agent, "Accept-Encoding": "identity", **headers}
        timeout = self._timeout if patience is None else _patient(self._timeout, patience)
        async with contextlib.AsyncExitStack() as stack:
            content = None
            if body is not None:
                content = await stack.enter_async_context(contextlib.aclosing(body()))
            with _failures(url):
                response = await stack.enter_async_context(
                    client.stream(method, url, headers=own, content=content, timeout=timeout)
                )
            yield Reply(response)

    def _client(self, verify: bool) -> httpx2.AsyncClient:
        if verify not in self._clients:
            try:
                self._clients[verify] = httpx2.AsyncClient(
                    verify=verify,
                    timeout=self._timeout,
                    follow_redirects=False,
                    limits=httpx2.Limits(
                        max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS
                    ),
                    mounts={f"all://{host}": None for host in _LOOPBACK},
                )
            except (ValueError, ImportError, OSError) as cause:
                raise RegistryError(f"the proxy or certificate settings: {cause}") from cause
        return self._clients[verify]


def _patient(usual: httpx2.Timeout, seconds: float) -> httpx2.Timeout:
    return httpx2.Timeout(usual.read, read=seconds, connect=usual.connect, pool=None)


@contextlib.contextmanager
def _failures(url: str) -> Iterator[None]:
    try:
        yield
    except httpx2.TimeoutException as cause:
        raise RegistryUnreachable(f"{_shown(url)}: no answer in time") from cause
    except httpx2.TransportError as cause:
        text = str(cause) or type(cause).__name__
        raise RegistryUnreachable(f"{_shown(url)}: {text}") from cause
    except httpx2.InvalidURL as cause:
        raise RegistryError(f"invalid address {_shown(url)}: {cause}") from cause


def _shown(url: str) -> str:
    """An address without its query, which may hold signatures."""
    return url.partition("?")[0][:200]


async def refusal(reply: Reply) -> RegistryError:
    """The error that a status of 400 or more means, with the server's own words."""
    if reply.status == 404:
        return NotInRegistry()
    text = ""
    with contextlib.suppress(RegistryError):
        text = await beginning(reply)
    message = f"{reply.status}: {text}" if text else f"{reply.status}"
    if reply.status >= 500 or reply.status in {408, 429}:
        return Overloaded(message, _seconds(reply.headers.get("retry-after", "")))
    return RegistryError(message)


async def beginning(reply: Reply) -> str:
    """What the answer says, as far as a person would read it."""
    body = bytearray()
    async for chunk in reply.chunks():
        body += chunk
        if len(body) >= MAX_REFUSAL_BYTES:
            break
    text = bytes(body[:MAX_REFUSAL_BYTES]).decode("utf-8", "replace").strip()
    return "".join(char if char.isprintable() else " " for char in text)


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
