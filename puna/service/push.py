"""Pushing a model: the blobs that its registry lacks, then the manifest, byte for byte.

Facts: API spec, section 19; models spec, sections 9, 10 and 12.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from puna.api.events import Progress
from puna.api.requests import PushRequest
from puna.errors import (
    BadRequest,
    InvalidName,
    NotFound,
    PunaError,
    RegistryError,
    StoreError,
)
from puna.models.library import Library, Stored
from puna.models.manifest import MANIFEST, TENSOR, Layer, Manifest, parse_manifest
from puna.models.name import Name
from puna.models.registry.origin import parse_registry
from puna.models.registry.session import Order, Session, bytes_body
from puna.models.registry.sharing import Uploads
from puna.models.registry.transport import refusal
from puna.models.registry.upload import BlobTarget
from puna.models.scan import read_raw
from puna.service.push_together import Together
from puna.service.registries import Registries
from puna.threads import in_thread, in_thread_to_the_end

__all__ = ["Push"]

TICK_SECONDS = 0.06
_Steps = AsyncGenerator[Progress, None]


@dataclass(frozen=True, slots=True)
class _Found:
    """The model to be pushed: as stored, and its manifest's bytes."""

    name: Name
    raw: bytes
    manifest: Manifest


class Push:
    """Answers push requests."""

    def __init__(
        self, library: Library, uploads: Uploads, registries: Registries, streams: int = 4
    ) -> None:
        """`streams` blobs of a model that is stored tensor by tensor are sent at once."""
        self._library = library
        self._streams = max(streams, 1)
        self._uploads = uploads
        self._registries = registries

    async def push(self, order: PushRequest) -> AsyncGenerator[Progress, None]:
        """Bring a model to the registry that its name says. The manifest comes last.

        Raises BadRequest before the first event where no model is named; StoreError, RegistryError
        later. A caller that leaves keeps what has arrived so far.
        """
        if not order.target:
            raise BadRequest("model is required")
        yield Progress(status="retrieving manifest")
        try:
            found = await in_thread(self._find, order.target)
            registry = parse_registry(order.target, order.insecure)
        except PunaError as cause:
            yield Progress(status="couldn't retrieve manifest")
            raise _kind(cause)(_about(order.target, cause)) from cause
        session = await self._registries.session(
            found.name, registry, order.username, order.password
        )
        async for step in self._send(found, session):
            yield step
        yield Progress(status="pushing manifest")
        await _put_manifest(session, found)
        origin = session.origin_of(found.raw)
        await in_thread_to_the_end(self._library.origins.note, found.name, origin)
        yield Progress(status="success")

    def _find(self, text: str) -> _Found:
        stored = self._library.read(Name.parse(text))
        raw, _ = read_raw(stored.path)
        return _Found(stored.name, raw, parse_manifest(raw))

    async def _send(self, found: _Found, session: Session) -> _Steps:
        layers = list({layer.digest: layer for layer in found.manifest.blobs}.values())
        with contextlib.ExitStack() as stack:
            hold = self._library.holding(found.manifest.digests)
            await in_thread_to_the_end(stack.enter_context, hold)
            await in_thread(self._check, layers)
            if found.manifest.of_type(TENSOR):
                async for step in self._send_together(found, layers, session):
                    yield step
                return
            others = await in_thread(lambda: list(self._library.entries()))
            for layer in layers:
                source = _mount_source(layer, found.name, others)
                target = BlobTarget(session, layer, self._library.blobs.path(layer.digest), source)
                async for step in self._send_one(target):
                    yield step

    def _check(self, layers: list[Layer]) -> None:
        """Raise StoreError unless every blob is here, before anything is sent."""
        for layer in layers:
            size = self._library.blobs.size(layer.digest)
            if size != layer.size:
                raise StoreError(
                    f"blob {layer.digest} has {size} bytes instead of {layer.size}: "
                    "pull or create the model again"
                )

    async def _send_together(self, found: _Found, layers: list[Layer], session: Session) -> _Steps:
        """Have many blobs in the registry, several at once, telling how far all of them are."""
        targets = [
            BlobTarget(session, layer, self._library.blobs.path(layer.digest), may_sign=True)
            for layer in layers
        ]
        total = sum(layer.size for layer in layers)
        key = f"{session.registry.base} {found.name}"
        work = Together(self._uploads, targets, self._streams).run
        while True:
            async with self._uploads.together(key, total, work) as (shared, is_ours):
                try:
                    while not await shared.wait(TICK_SECONDS):
                        yield _told_model(total, shared.tally.completed)
                    break
                except RegistryError:
                    if is_ours:
                        raise
        yield _told_model(total, total)

    async def _send_one(self, target: BlobTarget) -> _Steps:
        """Have one blob in the registry, telling how far it is."""
        layer = target.layer
        while True:
            async with self._uploads.joined(target) as (shared, is_ours):
                try:
                    while not await shared.wait(TICK_SECONDS):
                        yield _told(layer, shared.tally.completed)
                    break
                except RegistryError:
                    if is_ours:
                        raise  # else it was another's password that failed: try our own
        yield _told(layer, layer.size)


def _told(layer: Layer, completed: int) -> Progress:
    return Progress(
        status=f"pushing {layer.digest.short}",
        digest=str(layer.digest),
        total=layer.size,
        completed=completed,
    )


def _told_model(total: int, completed: int) -> Progress:
    return Progress(status="pushing model", digest="sha256:model", total=total, completed=completed)


def _kind(cause: PunaError) -> type[PunaError]:
    """Whose fault it is that there is nothing to push: the store's, or the client's."""
    return next((each for each in (NotFound, BadRequest) if isinstance(cause, each)), StoreError)


def _about(text: str, cause: PunaError) -> str:
    if isinstance(cause, InvalidName):
        return f"unqualified name: {text}"
    return str(cause)


def _mount_source(layer: Layer, name: Name, others: list[Stored]) -> str:
    """A repository of the same registry that may have the blob already: that of the model it came
    from, or of another model here that has it, too; "" for none.
    """
    candidates = [each.name for each in others if layer.digest in each.manifest.digests]
    with contextlib.suppress(InvalidName):
        candidates.insert(0, Name.parse(layer.from_))
    for other in candidates:
        is_same_host = other.host.lower() == name.host.lower()
        if is_same_host and other.repository.lower() != name.repository.lower():
            return other.repository
    return ""


async def _put_manifest(session: Session, found: _Found) -> None:
    headers = {
        "Content-Type": found.manifest.media_type or MANIFEST,
        "Content-Length": str(len(found.raw)),
    }
    order = Order("PUT", headers, bytes_body(found.raw))

    async def send() -> None:
        async with session.send(session.url(f"manifests/{found.name.tag}"), order) as reply:
            if not 200 <= reply.status < 300:
                raise await refusal(reply)

    await session.retry.call(send, session.retry.attempts)
