"""One operation on one registry: requests that prove who asks, redirects that give nothing away.

A token is kept for the operation. It goes to the registry's own origin and nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from puna.errors import Denied, RegistryError
from puna.models.digest import Digest
from puna.models.name import Name
from puna.models.registry.auth import Authority, Credentials
from puna.models.registry.challenge import parse_challenge
from puna.models.registry.origin import Registry, origin_of, redirected
from puna.models.registry.retry import Retry
from puna.models.registry.transport import Reply, refusal

__all__ = ["BlobSource", "Session"]

MAX_REDIRECTS = 10


class Session:
    """Reads from the repository of `name` in one registry."""

    def __init__(
        self,
        authority: Authority,
        registry: Registry,
        name: Name,
        credentials: Credentials | None = None,
    ) -> None:
        self.name = name
        self._authority = authority
        self._registry = registry
        self._credentials = credentials
        self._authorization = ""
        self._authorizing = asyncio.Lock()

    @property
    def retry(self) -> Retry:
        """How often things are tried."""
        return self._authority.retry

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

    def url(self, path: str) -> str:
        """The address of something in the repository."""
        return self._registry.url(self.name, path)

    @asynccontextmanager
    async def open(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Reply]:
        """GET `url` and whatever it redirects to, proving who we are where the registry asks.

        The reply may have any status but 401 from the registry. Raises Denied, RegistryError.
        """
        for _ in range(2):
            used = self._authorization
            async with self._follow(url, headers, used) as reply:
                if reply.status != 401 or not self._is_ours(reply.url):
                    yield reply
                    return
                challenge = parse_challenge(reply.headers.get("www-authenticate", ""))
            async with self._authorizing:
                if self._authorization == used:  # else another request has done it by now
                    self._authorization = await self._authority.answer(
                        self._registry, challenge, self._credentials
                    )
        raise Denied

    def _is_ours(self, url: str) -> bool:
        return origin_of(url) == self._registry.origin

    @asynccontextmanager
    async def _follow(
        self, url: str, headers: Mapping[str, str], authorization: str
    ) -> AsyncIterator[Reply]:
        for _ in range(MAX_REDIRECTS + 1):
            own = dict(headers)
            if authorization and self._is_ours(url):
                own["Authorization"] = authorization
            async with self._authority.transport.get(
                url, own, verify=self._registry.verify
            ) as reply:
                if not reply.is_redirect:
                    yield reply
                    return
                location = reply.headers["location"]
            url = redirected(url, location, insecure=not self._registry.verify)
        raise RegistryError(f"maximum redirects exceeded ({MAX_REDIRECTS})")


class BlobSource:
    """One blob of a session's repository. Where redirects lead is remembered until that fails."""

    def __init__(self, session: Session, digest: Digest) -> None:
        self._session = session
        self._url = session.url(f"blobs/{digest}")
        self._direct = ""

    @property
    def retry(self) -> Retry:
        """How often things are tried."""
        return self._session.retry

    @asynccontextmanager
    async def open(self, span: tuple[int, int] | None) -> AsyncIterator[Reply]:
        """GET the bytes from the first to before the second place, or the whole blob.

        The reply's status is 200 or 206. Raises Overloaded and RegistryUnreachable for what may
        pass, NotInRegistry, Denied and RegistryError for what does not.
        """
        headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} if span else {}
        direct = self._direct
        async with self._session.open(direct or self._url, headers) as reply:
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
