"""Bringing installed models up to date: those whose registry has another manifest now, and never
what was made or changed here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal

from puna.api.events import Progress
from puna.api.upkeep import Updated, UpdateRequest
from puna.errors import NotInRegistry, PunaError
from puna.models.digest import Digest
from puna.models.library import Library, Stored
from puna.models.name import Name
from puna.models.registry.manifests import Fetched, fetch_manifest
from puna.models.registry.origin import Registry, parse_registry
from puna.models.registry.session import Session
from puna.models.scan import read_raw
from puna.service.bundled import is_bundled
from puna.service.pull import Pull
from puna.service.registries import Registries
from puna.service.upkeep import installed_names
from puna.threads import in_thread

__all__ = ["Update"]

_Steps = AsyncGenerator[Progress | Updated, None]


class _Skipped(Exception):
    """A model that is left as it is; the text says why."""


class Update:
    """Answers update requests."""

    def __init__(self, library: Library, registries: Registries, pull: Pull) -> None:
        self._library = library
        self._registries = registries
        self._pull = pull

    async def update(self, order: UpdateRequest) -> AsyncGenerator[Progress | Updated, None]:
        """Bring these models, or all, up to date, and say of each what became of it. One that fails
        does not hold up the others.

        Raises ModelNotFound, InvalidName before the first event.
        """
        for name in await in_thread(installed_names, self._library, order.models):
            yield Progress(status=f"checking {name.short}")
            try:
                async for step in self._update(name, order):
                    yield step
            except _Skipped as skipped:
                yield Updated(status="skipped", model=name.short, reason=str(skipped))
            except PunaError as cause:
                yield Updated(status="failed", model=name.short, reason=str(cause))
        yield Progress(status="success")

    async def _update(self, name: Name, order: UpdateRequest) -> _Steps:
        stored, registry = await in_thread(self._source, name, order.insecure)
        if self._registries.is_hub(stored.name):
            insecure = not registry.verify
            is_current = await self._pull.has_hub_version(stored, insecure=insecure)
            after = stored.digest if is_current else ""
            steps = self._pull.install_from_hub(stored.name, insecure=insecure)
        else:
            session, fetched = await self._fetch(stored, registry)
            after = Digest.of(fetched.raw).hex
            steps = self._pull.install(session, fetched)
        async with aclosing(steps):
            if after != stored.digest and not order.dry_run:
                async for step in steps:
                    yield step
                after = (await in_thread(self._library.read, stored.name)).digest
        yield _verdict(stored, after, dry_run=order.dry_run)

    async def _fetch(self, stored: Stored, registry: Registry) -> tuple[Session, Fetched]:
        """What the registry has. Raises _Skipped where that is nothing."""
        session = await self._registries.session(stored.name, registry)
        try:
            return session, await fetch_manifest(session)
        except NotInRegistry:
            raise _Skipped(f"{registry.origin.authority} does not have it") from None

    def _source(self, name: Name, insecure: bool) -> tuple[Stored, Registry]:
        """The installed model, and where to look for another version. Raises _Skipped."""
        stored = self._library.read(name)
        if is_bundled(name):
            raise _Skipped("comes with Puna")
        if not self._library.owns(stored):
            raise _Skipped("belongs to another program")
        origin = self._library.origins.find(stored.name)
        if origin is None:
            if _is_made_here(stored):
                raise _Skipped("made on this machine")
            return stored, parse_registry(name.full, insecure)
        if origin.digest != stored.digest:
            raise _Skipped("changed on this machine")
        return stored, Registry(origin.base, origin.verify)


def _verdict(stored: Stored, after: str, *, dry_run: bool) -> Updated:
    before, model = stored.digest, stored.name.short
    if after == before:
        return Updated(status="current", model=model, before=before, after=after)
    status: Literal["outdated", "updated"] = "outdated" if dry_run else "updated"
    return Updated(status=status, model=model, before=before, after=after)


def _is_made_here(stored: Stored) -> bool:
    """Whether a manifest of which nothing was noted was made by a create: here as in the reference
    those end with a line end, and those in its registry do not (models spec, 9.1).
    """
    return read_raw(stored.path)[0].endswith(b"\n")
