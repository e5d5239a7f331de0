"""Two pulls of the same blob share one transfer into the store, two pushes one out of it."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from puna.errors import WrongDownload
from puna.models.blobs import Blobs
from puna.models.digest import Digest
from puna.models.manifest import Layer
from puna.models.partial import Partial, PartialBusy
from puna.models.registry.jobs import Jobs, Shared, Tally
from puna.models.registry.session import BlobSource
from puna.models.registry.transfer import Division, transfer
from puna.models.registry.upload import BlobTarget, Key, PartSizes, Place, upload
from puna.threads import in_thread, in_thread_to_the_end

__all__ = ["Transfers", "Uploads"]

log = logging.getLogger(__name__)

DIVISION = Division()
PART_SIZES = PartSizes()

MAX_PLACES = 1000
"""How many unfinished uploads are remembered."""

POLL_SECONDS = 0.2
"""How often to look whether another process is done with a blob."""


class Transfers:
    """The running transfers into one store, by digest. Use it with `async with`."""

    def __init__(self, blobs: Blobs, division: Division = DIVISION) -> None:
        self._blobs = blobs
        self._division = division
        self._jobs: Jobs[Digest] = Jobs()

    async def __aenter__(self) -> Self:
        await self._jobs.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._jobs.__aexit__(kind, error, trace)

    def joined(
        self, layer: Layer, source: BlobSource
    ) -> AbstractAsyncContextManager[tuple[Shared, bool]]:
        """The transfer of a blob, and whether this call began it. The last to leave ends it."""
        work = functools.partial(self._move, layer, source)
        return self._jobs.joined(layer.digest, layer.size, work)

    async def _move(self, layer: Layer, source: BlobSource, tally: Tally) -> None:
        while not await in_thread(self.has, layer):
            partial = Partial(self._blobs, layer.digest, layer.size, self._division.unit_bytes)
            try:
                await in_thread_to_the_end(partial.__enter__)
            except PartialBusy:
                await asyncio.sleep(POLL_SECONDS)
                continue
            try:
                await transfer(partial, source, tally, self._division)
            except WrongDownload as wrong:
                if not partial.was_begun:
                    raise
                log.warning("what was there before of a blob is damaged, fetching anew: %s", wrong)
            finally:
                partial.__exit__(None, None, None)
        tally.completed = tally.total

    def has(self, layer: Layer) -> bool:
        """Whether the blob is in the store, as large as its manifest says. Blocks."""
        path = self._blobs.path(layer.digest)
        return path.is_file() and path.stat().st_size == layer.size


class Uploads:
    """The running uploads, and where those that were cut may go on as long as this process lives.

    Use it with `async with`.
    """

    def __init__(self, sizes: PartSizes = PART_SIZES) -> None:
        self._sizes = sizes
        self._jobs: Jobs[Key] = Jobs()
        self._models: Jobs[str] = Jobs()
        self._places: dict[Key, Place] = {}

    async def __aenter__(self) -> Self:
        await self._jobs.__aenter__()
        await self._models.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._models.__aexit__(kind, error, trace)
        await self._jobs.__aexit__(kind, error, trace)

    def joined(self, target: BlobTarget) -> AbstractAsyncContextManager[tuple[Shared, bool]]:
        """The upload of a blob, and whether this call began it. The last to leave ends it."""
        work = functools.partial(self._move, target)
        return self._jobs.joined(target.key, target.layer.size, work)

    def together(
        self, key: str, total: int, work: Callable[[Tally], Awaitable[None]]
    ) -> AbstractAsyncContextManager[tuple[Shared, bool]]:
        """The upload of several blobs as one, `total` bytes in all, which `work` moves. As
        `joined`.
        """
        return self._models.joined(key, total, work)

    async def _move(self, target: BlobTarget, tally: Tally) -> None:
        while len(self._places) >= MAX_PLACES:
            del self._places[next(iter(self._places))]
        await upload(target, self._places, tally, self._sizes)
