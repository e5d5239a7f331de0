"""The clock as an argument, one of the six seams: tests bring their own and run through a year."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What time it is, and waiting for a time."""

    def now(self) -> float:
        """Seconds that never jump or run backwards; their zero means nothing."""

    def wall(self) -> datetime:
        """The time of day, with its zone."""

    async def sleep_until(self, moment: float) -> None:
        """Return once `now()` has reached `moment`, give or take a few milliseconds."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def wall(self) -> datetime:
        """The time of day in the local zone."""
        return datetime.now(UTC).astimezone()

    async def sleep_until(self, moment: float) -> None:
        """Sleep. It may wake early by the resolution of the loop's timer."""
        await asyncio.sleep(max(0.0, moment - self.now()))
