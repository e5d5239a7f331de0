"""Pulling a model: its manifest, the blobs that are not here yet, and the step that makes it
visible.

Facts: API spec, section 18; models spec, sections 8 and 12.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Callable

from puna.api.events import Progress
from puna.api.requests import PullRequest
from puna.config import Settings
from puna.errors import (
    BadManifest,
    ModelNotFound,
    PunaError,
    RegistryError,
    StoreError,
    StoreFull,
)
from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.manifest import Layer
from puna.models.name import Name, split_source
from puna.models.registry.manifests import Fetched, fetch_manifest
from puna.models.registry.origin import parse_registry
from puna.models.registry.session import BlobSource, Session
from puna.models.registry.sharing import Transfers
from puna.service.bundled import install_bundled, is_bundled
from puna.service.registries import Registries
from puna.threads import in_thread, in_thread_to_the_end

__all__ = ["Pull"]

log = logging.getLogger(__name__)

TICK_SECONDS = 0.06
_Steps = AsyncGenerator[Progress, None]


class Pull:
    """Answers pull requests."""

    def __init__(
        self, library: Library, transfers: Transfers, registries: Registries, settings: Settings
    ) -> None:
        self._library = library
        self._transfers = transfers
        self._registries = registries
        self._settings = settings

    async def pull(self, order: PullRequest) -> AsyncGenerator[Progress, None]:
        """Install a model, or bring it up to date. Nothing is visible before all of it is there.

        Raises BadRequest before the first event for what is wrong in the request; RegistryError,
        StoreError later. A caller that leaves keeps what has come so far.
        """
        session = await self._open(order)
        name = session.name
        yield Progress(status="pulling manifest")
        if is_bundled(name):
            yield Progress(status="writing manifest")
            await in_thread_to_the_end(install_bundled, self._library, name)
            yield Progress(status="success")
            return
        before = await in_thread(self._digests, name)
        try:
            fetched = await fetch_manifest(session)
        except (RegistryError, BadManifest) as cause:
            raise _about_manifest(cause) from cause
        async for progress in self._install(name, session, fetched):
            yield progress
        unused = before - fetched.manifest.digests
        if unused and not self._settings.no_prune:
            yield Progress(status="removing unused layers")
            try:
                await in_thread_to_the_end(self._library.remove_unreferenced, unused)
            except OSError as cause:
                yield Progress(status=f"couldn't remove unused layers: {cause}")
        yield Progress(status="success")

    async def _open(self, order: PullRequest) -> Session:
        text = split_source(order.target).storable if order.target.strip() else ""
        name = Name.parse(text)
        registry = parse_registry(text, order.insecure)
        stored = await in_thread(self._library.resolve, name)
        return await self._registries.session(stored, registry, order.username, order.password)

    def _digests(self, name: Name) -> frozenset[Digest]:
        try:
            return self._library.read(name).manifest.digests
        except (ModelNotFound, BadManifest):
            return frozenset()

    async def _install(self, name: Name, session: Session, fetched: Fetched) -> _Steps:
        with contextlib.ExitStack() as stack:
            hold = self._library.holding(fetched.manifest.digests)
            await in_thread_to_the_end(stack.enter_context, hold)
            for layer in dict.fromkeys(fetched.manifest.blobs):
                async for progress in self._fetch(layer, BlobSource(session, layer.digest)):
                    yield progress
            # every blob was hashed while it came in
            yield Progress(status="verifying sha256 digest")
            yield Progress(status="writing manifest")
            await in_thread_to_the_end(self._library.write_raw, name, fetched.raw)

    async def _fetch(self, layer: Layer, source: BlobSource) -> _Steps:
        """Have one blob in the store, telling how far it is."""
        told = _teller(layer)
        while not await in_thread(self._is_here, layer):
            async with self._transfers.joined(layer, source) as (shared, is_ours):
                try:
                    while not await shared.wait(TICK_SECONDS):
                        yield told(shared.tally.completed)
                    break
                except RegistryError:
                    if is_ours:
                        raise  # else it was another's registry that failed: try our own
        if layer.size:
            yield told(layer.size)

    def _is_here(self, layer: Layer) -> bool:
        """Whether the blob is in the store; one that a second store has is taken over."""
        try:
            self._library.blobs.take_over(layer.digest)
        except StoreFull:
            raise
        except StoreError as damage:
            log.warning("fetching a blob again: %s", damage)
        return self._transfers.has(layer)


def _teller(layer: Layer) -> Callable[[int], Progress]:
    def told(completed: int) -> Progress:
        return Progress(
            status=f"pulling {layer.digest.short}",
            digest=str(layer.digest),
            total=layer.size,
            completed=completed,
        )

    return told


def _about_manifest(cause: RegistryError | BadManifest) -> PunaError:
    kind = StoreError if isinstance(cause, BadManifest) else RegistryError
    return kind(f"pull model manifest: {cause}")
