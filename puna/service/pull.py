"""Pulling a model: its manifest, the blobs that are not here yet, and the step that makes it
visible.

Facts: API spec, section 18; models spec, sections 8 and 12.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from puna.api.events import Progress
from puna.api.requests import PullRequest
from puna.config import Settings
from puna.errors import (
    BadManifest,
    Denied,
    ModelNotFound,
    NotInRegistry,
    PunaError,
    RegistryError,
    StoreError,
)
from puna.models.digest import Digest
from puna.models.library import Library, Stored
from puna.models.name import Name, split_source
from puna.models.registry.manifests import Fetched, fetch_manifest
from puna.models.registry.origin import parse_registry
from puna.models.registry.session import BlobSource, Session
from puna.models.registry.sharing import Transfers
from puna.service.bundled import install_bundled, is_bundled
from puna.service.fetching import Fetching
from puna.service.hub_pull import HubPull
from puna.service.registries import Registries
from puna.threads import in_thread, in_thread_to_the_end

__all__ = ["Pull"]

_Steps = AsyncGenerator[Progress, None]


class Pull:
    """Answers pull requests."""

    def __init__(
        self, library: Library, transfers: Transfers, registries: Registries, settings: Settings
    ) -> None:
        self._library = library
        self._fetching = Fetching(library, transfers)
        self._hub = HubPull(library, self._fetching, registries)
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
        if self._registries.is_hub(name):
            steps = await self._from_hub(session)
        else:
            steps = self.install(session, await _manifest(session))
        async with aclosing(steps) as progresses:
            async for progress in progresses:
                yield progress
        yield Progress(status="success")

    async def _from_hub(self, session: Session) -> _Steps:
        """What the Hub has; where it is closed to those without a token, what its registry has for
        our key.
        """
        name = session.name
        try:
            plan = await self._hub.plan(name, insecure=not session.registry.verify)
        except Denied as closed:
            if self._registries.knows_us_by_key(name):
                with contextlib.suppress(RegistryError, BadManifest):
                    return self.install(session, await fetch_manifest(session))
            raise RegistryError(f"pull model manifest: {closed}") from closed
        return self._replacing(name, self._hub.install(plan))

    def install(self, session: Session, fetched: Fetched) -> _Steps:
        """Install what a registry has under the session's name."""
        return self._replacing(session.name, self._install(session, fetched))

    async def install_from_hub(self, name: Name, *, insecure: bool) -> _Steps:
        """Install what the Hugging Face Hub has under this name."""
        plan = await self._hub.plan(name, insecure=insecure)
        async with aclosing(self._replacing(name, self._hub.install(plan))) as progresses:
            async for progress in progresses:
                yield progress

    async def has_hub_version(self, stored: Stored, *, insecure: bool) -> bool:
        """Whether what is installed is what the Hub has, as far as that is known unfetched."""
        return await self._hub.is_current(stored, insecure=insecure)

    async def _replacing(self, name: Name, steps: _Steps) -> _Steps:
        """Remove what only the version before needed, after these steps."""
        before = await in_thread(self._digests, name)
        async with aclosing(steps) as progresses:
            async for progress in progresses:
                yield progress
        unused = before - await in_thread(self._digests, name)
        if unused and not self._settings.no_prune:
            yield Progress(status="removing unused layers")
            try:
                await in_thread_to_the_end(self._library.remove_unreferenced, unused)
            except OSError as cause:
                yield Progress(status=f"couldn't remove unused layers: {cause}")

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

    async def _install(self, session: Session, fetched: Fetched) -> _Steps:
        with contextlib.ExitStack() as stack:
            hold = self._library.holding(fetched.manifest.digests)
            await in_thread_to_the_end(stack.enter_context, hold)
            for layer in dict.fromkeys(fetched.manifest.blobs):
                source = BlobSource(session, session.url(f"blobs/{layer.digest}"))
                async with aclosing(self._fetching.fetch(layer, source)) as progresses:
                    async for progress in progresses:
                        yield progress
            # every blob was hashed while it came in
            yield Progress(status="verifying sha256 digest")
            yield Progress(status="writing manifest")
            await in_thread_to_the_end(self._write, session, fetched)

    def _write(self, session: Session, fetched: Fetched) -> None:
        name = self._library.write_raw(session.name, fetched.raw)
        self._library.origins.note(name, session.origin_of(fetched.raw))


async def _manifest(session: Session) -> Fetched:
    try:
        return await fetch_manifest(session)
    except (RegistryError, BadManifest) as cause:
        kinds: tuple[type[PunaError], ...] = (NotInRegistry, RegistryError, StoreError)
        kind = next(each for each in kinds if isinstance(cause, each))
        raise kind(f"pull model manifest: {cause}") from cause
