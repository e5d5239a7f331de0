"""A clock that stands still until the test moves it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2030, 1, 1, tzinfo=UTC)


class FakeClock:
    """Time as the test says; both clocks move together."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    def wall(self) -> datetime:
        return START + timedelta(seconds=self._now - 1000.0)

    async def sleep_until(self, moment: float) -> None:
        if moment <= self._now:
            return
        waker = asyncio.get_running_loop().create_future()
        sleeper = (moment, waker)
        self._sleepers.append(sleeper)
        try:
            await waker
        finally:
            self._sleepers.remove(sleeper)

    async def advance(self, seconds: float) -> None:
        """Move on, waking sleepers in the order of their times, and let everybody act."""
        end = self._now + seconds
        await settle()
        while due := sorted(moment for moment, _ in self._sleepers if moment <= end):
            self._now = max(self._now, due[0])
            for moment, waker in list(self._sleepers):
                if moment <= self._now and not waker.done():
                    waker.set_result(None)
            await settle()
        self._now = end
        await settle()


async def settle() -> None:
    """Let every task go on until it waits for something outside."""
    for _ in range(50):
        await asyncio.sleep(0)
