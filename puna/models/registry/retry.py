"""Trying again: how often, and how long to wait between. Facts: models spec, 8.3 and 24."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from puna.errors import RegistryError, RegistryUnreachable, RetriesExhausted

__all__ = ["Overloaded", "Retry"]

T = TypeVar("T")


class Overloaded(RegistryError):
    """A 5xx, 408 or 429: worth another try, after `wait` seconds where the server named some."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Retry:
    """Attempts in a row without any progress, and the pauses between: doubling, with chance."""

    attempts: int = 6
    first_seconds: float = 1.0
    longest_seconds: float = 32.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def pause(self, failures: int, cause: RegistryError) -> None:
        """Wait after so many failures in a row, 1 or more. Raises RetriesExhausted at the end."""
        if failures >= self.attempts:
            raise RetriesExhausted(cause) from cause
        seconds = min(self.first_seconds * 2 ** (failures - 1), self.longest_seconds)
        if isinstance(cause, Overloaded):
            seconds = max(seconds, min(cause.wait, self.longest_seconds))
        await self.sleep(seconds * random.uniform(0.75, 1.25))

    async def call(self, work: Callable[[], Awaitable[T]], attempts: int = 3) -> T:
        """Do a small request until it succeeds. Raises what the last attempt raised."""
        failures = 0
        while True:
            try:
                return await work()
            except (RegistryUnreachable, Overloaded) as cause:
                failures += 1
                if failures >= min(attempts, self.attempts):
                    raise
                await self.pause(failures, cause)
