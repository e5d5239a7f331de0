"""Answers on their way to the one task that waits for them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

__all__ = ["Inbox"]

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue for one reader, on the event loop. Every token of every stream goes through one:
    asyncio's own, which serves many readers, costs twice as much.
    """

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._arrival: asyncio.Future[None] | None = None

    def put(self, item: T) -> None:
        """Add what came, and wake the reader."""
        self._items.append(item)
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def get(self) -> T:
        """The oldest, as soon as there is one."""
        while not self._items:
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        return self._items.popleft()
