"""Moving one blob from the store to a registry: part after part, taken up where it was cut.

Facts: models spec, section 9; the OCI distribution specification, "Pushing a blob in chunks".
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from puna.errors import RegistryError, RegistryUnreachable, StoreError
from puna.models.digest import Digest
from puna.models.manifest import Layer
from puna.models.registry.direct import Direct, begin_headers, direct_of
from puna.models.registry.jobs import Tally
from puna.models.registry.part import Part
from puna.models.registry.retry import Overloaded
from puna.models.registry.session import Order, Session
from puna.models.registry.transport import Reply, beginning, refusal
from puna.models.verify import check_blob
from puna.threads import in_thread

__all__ = [
    "BlobTarget",
    "Key",
    "PartSizes",
    "Place",
    "etag_of",
    "is_there",
    "upload",
    "with_query",
]

ANSWER_SECONDS = 120.0
COMMIT_SECONDS = 900.0
"""How long a registry may think about a whole blob: some read it once more."""

GONE = {404, 410, 416}
NO_BODY = MappingProxyType({"Content-Length": "0"})
UNKNOWN_UPLOAD = "BLOB_UPLOAD_"
"""How the codes begin by which registries say that they have no such upload."""

_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,19})")


@dataclass(frozen=True, slots=True)
class PartSizes:
    """How a blob is divided: `count` parts, within bounds in bytes.

    So many parts are under way to `elsewhere` at once, where a registry has them sent.
    """

    count: int = 16
    least: int = 100_000_000
    most: int = 1_000_000_000
    elsewhere: int = 4

    def of(self, size: int) -> int:
        """Bytes of each part but the last of a blob of `size`."""
        return min(max(size // self.count, self.least), self.most)


class Key(NamedTuple):
    """What tells two uploads apart."""

    registry: str
    repository: str
    digest: Digest


@dataclass(slots=True)
class Place:
    """An upload that a registry has begun: `done` bytes of it are there, `sums` has the MD5 of each
    part by its end.

    `is_clean` until something is repeated; `is_current` in the push that began it. `direct` where
    the registry has signed for the whole blob, which is then sent elsewhere.
    """

    url: str
    done: int = 0
    sums: dict[int, bytes] = field(default_factory=dict)
    is_clean: bool = True
    is_current: bool = True
    is_elsewhere: bool = False
    direct: Direct | None = None


class BlobTarget:
    """A blob, and where it is to go; `mount_from` is a repository of the same registry that may
    have it already. `may_sign`: the registry may have it sent elsewhere as a whole.
    """

    def __init__(
        self,
        session: Session,
        layer: Layer,
        path: Path,
        mount_from: str = "",
        *,
        may_sign: bool = False,
    ) -> None:
        self.session = session
        self.layer = layer
        self.path = path
        self.mount_from = mount_from
        self.may_sign = may_sign

    @property
    def key(self) -> Key:
        """What it shares with others that are the same."""
        session = self.session
        return Key(session.registry.base, session.name.repository, self.layer.digest)


class _Lost(RegistryUnreachable):
    """The registry has no such upload any more: worth another try, from the beginning."""


async def upload(
    target: BlobTarget, places: MutableMapping[Key, Place], tally: Tally, sizes: PartSizes
) -> None:
    """Bring the blob to the registry, unless it is there. What was begun is in `places`.

    Raises Denied, RegistryError, and StoreError for a blob that is damaged.
    """
    work = _Upload(target, places, tally, sizes)
    failures, best = 0, 0
    while True:
        try:
            await work.attempt()
        except (RegistryUnreachable, Overloaded) as cause:
            failures = 1 if work.reached > best else failures + 1
            best = work.reached
            await target.session.retry.pause(failures, cause)
        else:
            tally.completed = tally.total
            return


async def is_there(session: Session, layer: Layer) -> bool:
    """Whether the registry has the blob. Raises Overloaded, RegistryError for what may pass."""
    async with session.send(session.url(f"blobs/{layer.digest}"), Order("HEAD", {})) as reply:
        if reply.status >= 500 or reply.status in {408, 429}:
            raise await refusal(reply)
        return reply.status == 200  # what else is wrong will be told when we begin


class _Upload:
    def __init__(
        self,
        target: BlobTarget,
        places: MutableMapping[Key, Place],
        tally: Tally,
        sizes: PartSizes,
    ) -> None:
        self._target = target
        self._session = target.session
        self._layer = target.layer
        self._key = target.key
        self._places = places
        self._tally = tally
        self._step = sizes.of(target.layer.size)
        self._slots = asyncio.Semaphore(sizes.elsewhere)
        self.reached = 0
        """The most bytes that any attempt had brought there."""
        if self._key in places:
            places[self._key].is_current = False

    async def attempt(self) -> None:
        """Do what is left to do."""
        if not await self._is_there():
            place = await self._place()
            if place is not None and place.direct is not None:
                part = Part(self._target.path, 0, self._layer.size, self._tell)
                await place.direct.send(self._session, part, COMMIT_SECONDS)
                await self._commit(place)
            elif place is not None:
                await self._send_parts(place)
                await self._commit(place)
        self._places.pop(self._key, None)

    async def _is_there(self) -> bool:
        return await is_there(self._session, self._layer)

    async def _place(self) -> Place | None:
        """Where to go on, or a new beginning; None where the registry has the blob by now."""
        place = self._places.get(self._key)
        if place is not None and not place.is_elsewhere and await self._is_known(place):
            return place
        self._places.pop(self._key, None)
        place = await self._begin()
        if place is not None:
            self._places[self._key] = place
        return place

    async def _is_known(self, place: Place) -> bool:
        """Ask what has arrived. Where nobody tells, the last part is sent once more."""
        place.is_clean = False
        async with self._session.send(place.url, Order("GET", {}, follow=False)) as reply:
            match = _RANGE.fullmatch(reply.headers.get("range", ""))
            if 200 <= reply.status < 300 and match:
                place.url = self._next_url(place.url, reply)
                done = int(match[1]) + 1 if match[1] != "0" else 0
                return await self._cut(place, done)
            if reply.status >= 500:
                raise await refusal(reply)
            is_unknown = UNKNOWN_UPLOAD in await beginning(reply)
        return place.is_current and not is_unknown

    async def _cut(self, place: Place, done: int) -> bool:
        """Take it that exactly so many bytes have arrived."""
        if done > self._layer.size:
            return False
        sums = {end: each for end, each in place.sums.items() if end <= done}
        last = max(sums, default=0)
        if last < done:
            sums[done] = await Part(self._target.path, last, done).checksum()
        place.sums, place.done = sums, done
        self.reached = max(self.reached, done)
        return True

    async def _begin(self) -> Place | None:
        if self._target.mount_from:
            query = {"from": self._target.mount_from, "mount": str(self._layer.digest)}
            try:
                return await self._ask_for_place("?" + urlencode(query))
            except (RegistryUnreachable, Overloaded):
                raise
            except RegistryError:  # the other repository may be none of ours
                pass
        if self._target.may_sign:
            named = "?" + urlencode({"digest": str(self._layer.digest)})
            return await self._ask_for_place(named, begin_headers(self._layer.size))
        return await self._ask_for_place("")

    async def _ask_for_place(
        self, query: str, headers: Mapping[str, str] = NO_BODY
    ) -> Place | None:
        url = self._session.url("blobs/uploads/") + query
        async with self._session.send(url, Order("POST", headers)) as reply:
            if reply.status == 201:
                return None
            if not 200 <= reply.status < 300:
                raise await refusal(reply)
            place = self._next_url("", reply)
            if not place:
                raise RegistryUnreachable("the registry does not say where to upload to")
            direct = direct_of(self._session, reply) if self._target.may_sign else None
            return Place(place, is_elsewhere=direct is not None, direct=direct)

    def _next_url(self, present: str, reply: Reply) -> str:
        headers = reply.headers
        location = headers.get("docker-upload-location") or headers.get("location")
        return self._session.next_url(reply.url, location) if location else present

    async def _send_parts(self, place: Place) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                while place.done < self._layer.size:
                    end = min((place.done // self._step + 1) * self._step, self._layer.size)
                    part = Part(self._target.path, place.done, end, self._tell)
                    elsewhere = await self._send(place, part)
                    place.done = end
                    self.reached = max(self.reached, end)
                    if elsewhere:
                        place.is_elsewhere = True
                        await self._slots.acquire()
                        tasks.create_task(self._send_elsewhere(elsewhere, place, part))
                    else:
                        place.sums[end] = await part.checksum()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    def _tell(self, place: int) -> None:
        self._tally.completed = max(self._tally.completed, place)

    async def _send(self, place: Place, part: Part) -> str:
        """Send a part to the registry; returns where it wants it sent instead, or nothing."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(part.end - part.start),
            "Content-Range": f"{part.start}-{part.end - 1}",
            "X-Redirect-Uploads": "1",
        }
        order = Order("PATCH", headers, part.pieces, follow=False, patience=ANSWER_SECONDS)
        async with self._session.send(place.url, order) as reply:
            elsewhere = ""
            if reply.status == 307 and "location" in reply.headers:
                elsewhere = self._session.next_url(reply.url, reply.headers["location"])
            elif not 200 <= reply.status < 300:
                raise await self._refused(reply, place)
            place.url = self._next_url(place.url, reply)
            return elsewhere

    async def _send_elsewhere(self, url: str, place: Place, part: Part) -> None:
        """Send a part to an object store, which gets no credentials of ours."""
        order = Order(
            "PUT",
            {"Content-Length": str(part.end - part.start)},
            part.pieces,
            follow=False,
            patience=ANSWER_SECONDS,
        )

        async def send() -> None:
            async with self._session.send_elsewhere(url, order) as reply:
                if not 200 <= reply.status < 300:
                    raise await refusal(reply)

        try:
            retry = self._session.retry
            await retry.call(send, retry.attempts)
            place.sums[part.end] = await part.checksum()
        finally:
            self._slots.release()

    async def _refused(self, reply: Reply, place: Place) -> RegistryError:
        if reply.status in GONE or (reply.status == 400 and not place.is_clean):
            self._places.pop(self._key, None)
            return _Lost(f"the registry has lost the upload: {reply.status}")
        return await refusal(reply)

    async def _commit(self, place: Place) -> None:
        sums = [each for _, each in sorted(place.sums.items())]
        query = {"digest": str(self._layer.digest)}
        if place.direct is None:
            query["etag"] = etag_of(sums)
        order = Order("PUT", {"Content-Length": "0"}, follow=False, patience=COMMIT_SECONDS)
        async with self._session.send(with_query(place.url, query), order) as reply:
            if 200 <= reply.status < 300:
                return
            error = await self._refused(reply, place)
        if reply.status == 400 and not isinstance(error, _Lost):
            await in_thread(self._check)
        raise error

    def _check(self) -> None:
        """Blame the right one where a registry does not like what it got. Raises StoreError."""
        checking = check_blob(self._target.path, self._layer)
        while True:
            try:
                next(checking)
            except StopIteration as end:
                problem = str(end.value or "")
                break
        if problem:
            raise StoreError(f"{self._layer.digest}: {problem} (see `puna verify`)")


def etag_of(sums: Iterable[bytes]) -> str:
    """What object stores call a file of several parts, from the parts' MD5."""
    parts = list(sums)
    return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"


def with_query(url: str, more: dict[str, str]) -> str:
    """The address with more fields in its query."""
    parts = urlsplit(url)
    query = f"{parts.query}&{urlencode(more)}" if parts.query else urlencode(more)
    return parts._replace(query=query).geturl()
