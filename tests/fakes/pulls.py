"""A registry that has no models, for those who build on models that are here."""

from __future__ import annotations

from collections.abc import AsyncIterator

from puna.api.events import Progress
from puna.api.requests import PullRequest
from puna.errors import NotInRegistry


async def nothing_to_pull(order: PullRequest) -> AsyncIterator[Progress]:
    """What a pull says of a name that nobody knows."""
    yield Progress(status="pulling manifest")
    raise NotInRegistry
