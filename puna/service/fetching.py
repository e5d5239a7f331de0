"""Having one blob in the store: taken over, fetched, or awaited while another pull fetches it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable

from puna.api.events import Progress
from puna.errors import RegistryError, StoreError, StoreFull
from puna.models.library import Library
from puna.models.manifest import Layer
from puna.models.registry.session import BlobSource
from puna.models.registry.sharing import Transfers
from puna.threads import in_thread

__all__ = ["Fetching"]

log = logging.getLogger(__name__)

TICK_SECONDS = 0.06


class Fetching:
    """Brings blobs into a store, one transfer for each whoever asks for it."""

    def __init__(self, library: Library, transfers: Transfers) -> None:
        self._library = library
        self._transfers = transfers

    async def fetch(self, layer: Layer, source: BlobSource) -> AsyncGenerator[Progress, None]:
        """Have one blob in the store, telling how far it is. Raises RegistryError, StoreFull."""
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
