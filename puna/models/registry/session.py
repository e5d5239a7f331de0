"""One operation on one registry: requests that prove who asks, redirects that give nothing away.

A token is kept for the operation. It goes to the registry's own origin and nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from puna.errors import Denied, RegistryError
from puna.models.digest import Digest
from puna.models.name import Name
from puna.models.origins import Origin
from puna.models.registry.auth import Authority, Credentials
from puna.models.registry.challenge import parse_challenge
from puna.models.registry.origin import Registry, origin_of, redirected
from puna.models.registry.retry import Retry
from puna.models.registry.transport import Body, Reply, refusal

__all__ = ["BlobSource", "Opener", "Order", "Session", "bytes_body"]

MAX_REDIRECTS = 10


@dataclass(frozen=True, slots=True)
class Order:
    """A request but for its address. What reads follows every redirect; what writes only those that
    ask for the same again (307 and 308), and where `follow` is off none.

    `patience` is how many seconds the answer may take where that is not the usual time.
    """

    method: str
    headers: Mapping[str, str]
    body: Body | None = None
    follow: bool = True
    patience: float | None = None

    def follows(self, reply: Reply) -> bool:
        """Whether the reply is not the answer yet."""
        is_read = self.method in {"GET", "HEAD"}
        return self.follow and reply.is_redirect and (is_read or reply.status in {307, 308})


def bytes_body(data: bytes) -> Body:
    """A small body."""

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield data

    return pieces


class Session:
    """Reads from, and writes to, the repository of `name` in one registry."""

    def __init__(
        self,
        authority: Authority,
        registry: Registry,
        name: Name,
        credentials: Credentials | None = None,
        authorization: str = "",
    ) -> None:
        """`authorization` is what is sent before anybody asks for it."""
        self.name = name
        self._authority = authority
        self._registry = registry
        self._credentials = credentials
        self._authorization = authorization
        self._authorizing = asyncio.Lock()

    @property
    def retry(self) -> Retry:
        """How often things are tried."""
        return self._authority.retry

    @property
    def registry(self) -> Registry:
        """Where the repository is."""
        return self._registry

    async def read(self, path: str, accept: str, limit: int) -> bytes:
        """A small document of the repository; failures that may pass are tried again.

        Raises NotInRegistry, Denied, RegistryError.
        """

        async def ask() -> bytes:
            async with self.open(self.url(path), {"Accept": accept}) as reply:
                if reply.status != 200:
                    raise await refusal(reply)
                return await reply.read(limit)

        return await self.retry.call(ask)

    def origin_of(self, raw: bytes) -> Origin:
        """What to note of a manifest that came from here, or went here."""
        return Origin(Digest.of(raw).hex, self._registry.base, self._registry.verify)

    def url(self, path: str) -> str:
        """The address of something in the repository."""
        return self._registry.url(self.name, path)

    def is_ours(self, url: str) -> bool:
        """Whether the address is the registry's own."""
        return origin_of(url) == self._registry.origin

    @asynccontextmanager
    async def open(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Reply]:
        """GET `url`. As `send`."""
        async with self.send(url, Order("GET", headers)) as reply:
            yield reply

    @asynccontextmanager
    async def send(self, url: str, order: Order) -> AsyncIterator[Reply]:
        """Send a request to `url` and to whatever it redirects to, proving who we are where the
        registry asks.

        The reply may have any status but 401 from the registry. Raises Denied, RegistryError.
        """
        for _ in range(2):
            used = self._authorization
            async with self._follow(url, order, used) as reply:
                if reply.status != 401 or not self.is_ours(reply.url):
                    yield reply
                    return
                challenge = parse_challenge(reply.headers.get("www-authenticate", ""))
            async with self._authorizing:
                if self._authorization == used:  # else another request has done it by now
                    self._authorization = await self._authority.answer(
                        self._registry, challenge, self._credentials
                    )
        raise Denied

    @asynccontextmanager
    async def send_elsewhere(self, url: str, order: Order) -> AsyncIterator[Reply]:
        """Send a request without any proof of who we are."""
        async with self._follow(url, order, "") as reply:
            yield reply

    def next_url(self, url: str, location: str) -> str:
        """Where `location` in an answer from `url` leads. Raises RegistryError for one to http."""
        return redirected(url, location, insecure=not self._registry.verify)

    @asynccontextmanager
    async def _follow(self, url: str, order: Order, authorization: str) -> AsyncIterator[Reply]:
        for _ in range(MAX_REDIRECTS + 1):
            is_ours = bool(authorization) and self.is_ours(url)
            own = {"Authorization": authorization} if is_ours else {}
            async with self._authority.transport.send(
                order.method,
                url,
                {**order.headers, **own},
                body=order.body,
                verify=self._registry.verify,
                patience=order.patience,
            ) as reply:
                if not order.follows(reply):
                    yield reply
                    return
                location = reply.headers["location"]
            url = self.next_url(url, location)
        raise RegistryError(f"maximum redirects exceeded ({MAX_REDIRECTS})")


class Opener(Protocol):
    """What files can be fetched from: a session with a registry, or the Hub."""

    @property
    def retry(self) -> Retry:
        """How often things are tried."""
        ...

    def open(self, url: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Reply]:
        """GET `url` and whatever it redirects to."""
        ...


class BlobSource:
    """One blob at `url`. Where redirects lead is remembered until that fails."""

    def __init__(self, opener: Opener, url: str) -> None:
        self._opener = opener
        self._url = url
        self._direct = ""

    @property
    def retry(self) -> Retry:
        """How often things are tried."""
        return self._opener.retry

    @asynccontextmanager
    async def open(self, span: tuple[int, int] | None) -> AsyncIterator[Reply]:
        """GET the bytes from the first to before the second place, or the whole blob.

        The reply's status is 200 or 206. Raises Overloaded and RegistryUnreachable for what may
        pass, NotInRegistry, Denied and RegistryError for what does not.
        """
        headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} if span else {}
        direct = self._direct
        async with self._opener.open(direct or self._url, headers) as reply:
            if reply.status in {200, 206}:
                is_elsewhere = origin_of(reply.url) != origin_of(self._url)
                self._direct = reply.url if is_elsewhere else ""
                yield reply
                return
            error = await refusal(reply)
        if not direct:
            raise error
        self._direct = ""  # it was signed for a while, and the while is over
        async with self.open(span) as reply:
            yield reply
