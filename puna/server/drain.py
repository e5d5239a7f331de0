"""The end of a server, in order: no new requests, and a while for the answers under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Drain"]


class Drain:
    """Knows which answers are under way, and lets the end wait for them."""

    def __init__(self) -> None:
        self.begun = False
        """Whether the server ends: whoever comes now is sent away."""
        self._running = 0
        self._over = asyncio.Event()

    @property
    def running(self) -> int:
        """How many answers are under way."""
        return self._running

    @contextmanager
    def answer(self) -> Iterator[None]:
        """Count one answer while it is under way."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if self.begun and not self._running:
                self._over.set()

    def hurry(self) -> None:
        """Wait no longer."""
        self._over.set()

    async def finish(self, seconds: float) -> bool:
        """Begin, and wait for the answers under way; whether they all ended in time."""
        self.begun = True
        if self._running:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._over.wait()
        return not self._running
