"""Work that several callers wait for: one task for each key, which ends when the last of them
leaves.

A task belongs to no single caller. What one caller's registry refuses, the next tries at its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

from puna.errors import RegistryError

__all__ = ["Jobs", "Shared", "Tally"]

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class Tally:
    """How far a transfer is, in bytes. `completed` goes down only where what was there before turns
    out to be damaged.
    """

    total: int
    completed: int = 0


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


class Jobs(Generic[K]):
    """The running transfers. Use it with `async with`; leaving ends them."""

    def __init__(self) -> None:
        self._running: dict[K, Shared] = {}
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
    async def joined(
        self, key: K, total: int, work: Callable[[Tally], Awaitable[None]]
    ) -> AsyncIterator[tuple[Shared, bool]]:
        """The transfer under this key, and whether this call began it. The last to leave ends it.

        `work` moves `total` bytes; it is begun unless there is one already.
        """
        shared = self._running.get(key)
        is_first = shared is None
        if shared is None:
            shared = self._begin(key, total, work)
        shared.users += 1
        try:
            yield shared, is_first
        finally:
            shared.users -= 1
            if not shared.users:
                await self._leave(key, shared)

    def _begin(self, key: K, total: int, work: Callable[[Tally], Awaitable[None]]) -> Shared:
        shared = Shared(Tally(total))
        self._running[key] = shared
        shared.task = self._tasks.create_task(self._run(key, work, shared))
        return shared

    async def _leave(self, key: K, shared: Shared) -> None:
        if self._running.get(key) is shared:
            del self._running[key]  # who comes now begins anew, after our end
        if shared.task is not None and not shared.task.done():
            shared.task.cancel()
            await shared.ended.wait()

    async def _run(self, key: K, work: Callable[[Tally], Awaitable[None]], shared: Shared) -> None:
        try:
            await work(shared.tally)
        except Exception as error:  # noqa: BLE001 - the owner of the task: its users are told
            shared.error = error
        except asyncio.CancelledError:
            shared.error = RegistryError("the transfer was cancelled")
        finally:
            if self._running.get(key) is shared:
                del self._running[key]
            shared.ended.set()
