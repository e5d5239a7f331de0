"""A place in the queue for a model, and the lease that it becomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from puna.runner.protocol import Engine
from puna.scheduler.clock import Clock
from puna.scheduler.report import Waiting
from puna.scheduler.state import SECOND_NS, Order, RunnerId

__all__ = ["Grant", "Lease", "Ticket", "granted"]

_LOOK_SECONDS = 0.25  # between two looks at what an order waits for, where a client wants to know


@dataclass(frozen=True, slots=True)
class Lease:
    """The use of a loaded model. Moments in seconds of the scheduler's clock.

    From `loading_from` to `loading_until` it waited for the model to load; where it did not, the
    two are one.
    """

    engine: Engine
    asked_at: float
    given_at: float
    loading_from: float
    loading_until: float

    @property
    def load_ns(self) -> int:
        """The time from the request to the ready runner, in nanoseconds."""
        return int((self.given_at - self.asked_at) * SECOND_NS)

    @property
    def load_seconds(self) -> float:
        """What of it went by while the model was loaded."""
        return self.loading_until - self.loading_from

    @property
    def queue_seconds(self) -> float:
        """And what did not."""
        return self.given_at - self.asked_at - self.load_seconds


@dataclass(frozen=True, slots=True)
class Grant:
    """An admission on its way to the task that waits for it, with the moments between which the
    runner was loaded.
    """

    runner: RunnerId
    engine: Engine
    began_at: float
    loaded_at: float


class Ticket:
    """A place in the queue."""

    def __init__(
        self,
        order: Order,
        answer: asyncio.Future[Grant],
        asked_at: float,
        clock: Clock,
        queue: Callable[[], list[Waiting]],
    ) -> None:
        self._number = order.number
        self._answer = answer
        self._asked_at = asked_at
        self._clock = clock
        self._queue = queue

    async def lease(self) -> Lease:
        """Wait for the model. Raises as Scheduler.lease."""
        grant = await self._answer
        asked, now = self._asked_at, self._clock.now()
        until = min(max(grant.loaded_at, asked), now)
        return Lease(grant.engine, asked, now, min(max(grant.began_at, asked), until), until)

    async def news(self) -> AsyncIterator[Waiting]:
        """What the order waits for, at once and whenever that changes; ends when it is answered."""
        before: tuple[int, str] | None = None
        while not self._answer.done():
            for row in self._queue():
                if row.number == self._number and (row.position, row.reason) != before:
                    before = row.position, row.reason
                    yield row
            await asyncio.wait([self._answer], timeout=_LOOK_SECONDS)


def granted(answer: asyncio.Future[Grant]) -> Grant | None:
    """What an answer came to, None where that is no admission, or nothing yet. An error counts as
    seen then.
    """
    if not answer.done() or answer.cancelled() or answer.exception() is not None:
        return None
    return answer.result()
