"""The Hugging Face Hub: listing a repository's files and fetching them.

Facts: the Hub's HTTP API (file trees, `resolve`, LFS digests). Its token goes to its own origin and
nowhere else. Which files make a model is `hub_files.py`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from puna.errors import Denied, RegistryError, RegistryUnreachable, WrongDownload
from puna.models.blobs import BlobWriter
from puna.models.digest import Digest
from puna.models.name import Name
from puna.models.origins import Origin
from puna.models.registry.auth import Authority, Credentials
from puna.models.registry.challenge import Challenge
from puna.models.registry.hub_files import HubFile, parse_files
from puna.models.registry.origin import LOOPBACK, Registry, origin_of
from puna.models.registry.retry import Retry
from puna.models.registry.session import BlobSource, Session
from puna.models.registry.transport import Reply, refusal
from puna.threads import in_thread, in_thread_to_the_end

__all__ = ["HOME", "HOSTS", "Hub", "is_hub"]

HOME = "https://huggingface.co"

HOSTS = frozenset({"hf.co", "huggingface.co"})
REVISION = "main"

MAX_PAGE_BYTES = 8 * 1024 * 1024  # the Hub's have under one
MAX_PAGES = 200
MAX_FILES = 100_000
WRITE_BYTES = 4 * 1024 * 1024

_NEXT = re.compile(r'<([^<>]{1,4096})>\s*;[^<]*\brel="?next"?')


def is_hub(name: Name, endpoint: str) -> bool:
    """Whether a model of this name is a repository of the Hub, or of what stands in for it."""
    host = name.host.lower()
    return host in HOSTS or host == origin_of(endpoint).authority


@dataclass(frozen=True, slots=True)
class _TokenOnly(Authority):
    """Answers no challenge: the Hub's token was sent with the request, if there is one."""

    complaint: str = ""

    async def answer(
        self, registry: Registry, challenge: Challenge, credentials: Credentials | None
    ) -> str:
        raise Denied(self.complaint)


class Hub:
    """One repository of the Hub at `endpoint`, read with `token`, or as anybody without."""

    def __init__(
        self, authority: Authority, endpoint: str, name: Name, token: str, *, verify: bool = True
    ) -> None:
        registry = Registry(endpoint, verify)
        origin = registry.origin
        is_private = origin.scheme == "https" and verify
        token = token if is_private or origin.host in LOOPBACK else ""
        self._endpoint = endpoint
        self._repository = name.repository
        self._complaint = _complaint(f"{endpoint}/{name.repository}", has_token=bool(token))
        own = _TokenOnly(
            authority.transport, authority.keys, authority.retry, (), complaint=self._complaint
        )
        self._session = Session(
            own, registry, name, authorization=f"Bearer {token}" if token else ""
        )

    @property
    def retry(self) -> Retry:
        """How often things are tried."""
        return self._session.retry

    @asynccontextmanager
    async def open(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Reply]:
        """GET `url` and whatever it redirects to. Raises Denied, RegistryError."""
        async with self._session.open(url, headers) as reply:
            if reply.status == 403 and origin_of(reply.url) == origin_of(self._endpoint):
                raise Denied(self._complaint)
            yield reply

    def origin_of(self, digest: str) -> Origin:
        """What to note of a manifest that was made of files from here."""
        return Origin(digest, self._endpoint, self._session.registry.verify)

    def source(self, file: HubFile) -> BlobSource:
        """Where a large file is fetched from."""
        return BlobSource(self, self._url(file))

    def _url(self, file: HubFile) -> str:
        return f"{self._endpoint}/{self._repository}/resolve/{REVISION}/{quote(file.path)}"

    async def files(self) -> list[HubFile]:
        """Every file of the repository. Raises NotInRegistry, Denied, RegistryError."""
        url = f"{self._endpoint}/api/models/{self._repository}/tree/{REVISION}?recursive=true"
        found: list[HubFile] = []
        for _ in range(MAX_PAGES):
            raw, link = await self._page(url)
            found += await in_thread(parse_files, raw)
            if len(found) > MAX_FILES:
                raise RegistryError(f"the repository has more than {MAX_FILES} files")
            following = _NEXT.search(link)
            if following is None:
                return found
            url = urljoin(url, following[1])
            if origin_of(url) != origin_of(self._endpoint):
                raise RegistryError(f"the list of files goes on elsewhere: {url[:200]}")
        raise RegistryError(f"the list of files has more than {MAX_PAGES} pages")

    async def _page(self, url: str) -> tuple[bytes, str]:
        """A page of the list, and what its header says of the next."""

        async def ask() -> tuple[bytes, str]:
            async with self.open(url, {"Accept": "application/json"}) as reply:
                if reply.status != 200:
                    raise await refusal(reply)
                return await reply.read(MAX_PAGE_BYTES), reply.headers.get("link", "")

        return await self.retry.call(ask)

    async def read(self, file: HubFile, limit: int) -> bytes:
        """A small file, checked. Raises RegistryError, WrongDownload."""

        async def ask() -> bytes:
            async with self.open(self._url(file), {}) as reply:
                if reply.status != 200:
                    raise await refusal(reply)
                return await reply.read(limit)

        data = await self.retry.call(ask)
        _Check(file).finish(data)
        return data

    async def copy(self, file: HubFile, writer: BlobWriter) -> None:
        """Write a file of which no digest is known, checked as far as that goes.

        Raises RegistryError, WrongDownload, StoreFull.
        """
        check = _Check(file)
        async with self.open(self._url(file), {}) as reply:
            if reply.status != 200:
                raise await refusal(reply)
            waiting = bytearray()
            async for chunk in reply.chunks():
                waiting += chunk
                if len(waiting) >= WRITE_BYTES:
                    await in_thread_to_the_end(_write, writer, check, waiting)
                    waiting = bytearray()
            await in_thread_to_the_end(_write, writer, check, waiting)
        if writer.size < file.size:
            raise RegistryUnreachable("the server closed the connection early")
        check.finish()


def _write(writer: BlobWriter, check: _Check, data: bytearray) -> None:
    writer.write(data)
    check.update(data)


class _Check:
    """Compares a file's bytes with what the list says of it: size, digest, git's number."""

    def __init__(self, file: HubFile) -> None:
        self._file = file
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._sha1 = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)

    def update(self, data: bytes | bytearray) -> None:
        self._size += len(data)
        self._sha256.update(data)
        self._sha1.update(data)

    def finish(self, data: bytes = b"") -> None:
        """Raises WrongDownload, RegistryError."""
        self.update(data)
        file, got = self._file, Digest(self._sha256.hexdigest())
        if self._size != file.size:
            raise RegistryError(f"{file.path} has {self._size} bytes, the list says {file.size}")
        if file.digest is not None and got != file.digest:
            raise WrongDownload(str(file.digest), str(got))
        if file.digest is None and file.git_id and self._sha1.hexdigest() != file.git_id:
            raise WrongDownload(f"git:{file.git_id}", f"git:{self._sha1.hexdigest()}")


def _complaint(place: str, *, has_token: bool) -> str:
    if has_token:
        return (
            f"HF_TOKEN does not open {place}: accept its licence there with the token's account, "
            "and check that the token may read it"
        )
    return (
        f"{place} is not there, private, or wants its licence accepted: accept it there and set "
        "HF_TOKEN for the server"
    )
