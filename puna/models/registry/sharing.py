"""Two pulls of the same blob share one transfer; it ends when the last of them leaves.

A transfer belongs to no single pull: `Transfers` owns its task. What one pull's registry refuses,
the next pull tries at its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from puna.errors import RegistryError
from puna.models.blobs import Blobs
from puna.models.digest import Digest
from puna.models.manifest import Layer
from puna.models.partial import Partial, PartialBusy
from puna.models.registry.session import BlobSource
from puna.models.registry.transfer import Division, Tally, transfer
from puna.threads import in_thread, in_thread_to_the_end

__all__ = ["Shared", "Transfers"]

DIVISION = Division()

POLL_SECONDS = 0.2
"""How often to look whether another process is done with a blob."""


@dataclass(eq=False)
class Shared:
    """A running transfer. `tally` says how far it is, `ended` when there is no more to come."""

    tally: Tally
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    users: int = 0
    task: asyncio.Task[None] | None = None
    error: Exception | None = None

    async def wait(self, seconds: float) -> bool:
        """Wait for the end, but not longer than this; True when it has come.

        Raises what the transfer raised.
        """
        try:
            async with asyncio.timeout(seconds):
                await self.ended.wait()
        except TimeoutError:
            return False
        if self.error is not None:
            raise self.error
        return True


class Transfers:
    """The running transfers into one store, by digest. Use it with `async with`."""

    def __init__(self, blobs: Blobs, division: Division = DIVISION) -> None:
        self._blobs = blobs
        self._division = division
        self._running: dict[Digest, Shared] = {}
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for shared in self._running.values():
            if shared.task is not None:
                shared.task.cancel()
        await self._tasks.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def joined(self, layer: Layer, source: BlobSource) -> AsyncIterator[tuple[Shared, bool]]:
        """The transfer of a blob, and whether this call began it. The last to leave ends it."""
        shared = self._running.get(layer.digest)
        is_first = shared is None
        if shared is None:
            shared = self._begin(layer, source)
        shared.users += 1
        try:
            yield shared, is_first
        finally:
            shared.users -= 1
            if not shared.users:
                await self._leave(layer.digest, shared)

    def _begin(self, layer: Layer, source: BlobSource) -> Shared:
        shared = Shared(Tally(layer.size))
        self._running[layer.digest] = shared
        shared.task = self._tasks.create_task(self._run(layer, source, shared))
        return shared

    async def _leave(self, digest: Digest, shared: Shared) -> None:
        if self._running.get(digest) is shared:
            del self._running[digest]  # who comes now begins anew, after our end
        if shared.task is not None and not shared.task.done():
            shared.task.cancel()
            await shared.ended.wait()

    async def _run(self, layer: Layer, source: BlobSource, shared: Shared) -> None:
        try:
            await self._move(layer, source, shared.tally)
        except Exception as error:  # noqa: BLE001 - the owner of the task: its users are told
            shared.error = error
        except asyncio.CancelledError:
            shared.error = RegistryError("the download was cancelled")
        finally:
            if self._running.get(layer.digest) is shared:
                del self._running[layer.digest]
            shared.ended.set()

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
            finally:
                partial.__exit__(None, None, None)
        tally.completed = tally.total

    def has(self, layer: Layer) -> bool:
        """Whether the blob is in the store, as large as its manifest says. Blocks."""
        path = self._blobs.path(layer.digest)
        return path.is_file() and path.stat().st_size == layer.size
