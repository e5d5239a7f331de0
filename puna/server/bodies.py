"""What the bodies of all requests under way may take together.

Each has a limit of its own; many large ones at once would still be more than a machine has.
"""

from __future__ import annotations

from puna.errors import TooManyBodies

__all__ = ["ACCOUNT", "Account", "Bodies"]

TOTAL_LIMIT = 512 * 1024 * 1024
"""Bytes of all bodies that are kept at a time."""
FREE_BYTES = 1024 * 1024
"""Of every body so much is not counted: what most clients ask is served whoever sends images."""

ACCOUNT = "puna.body"
"""Where the scope of a request has its account."""


class Bodies:
    """Counts the bytes of the bodies that are kept."""

    def __init__(self, limit: int = TOTAL_LIMIT) -> None:
        self.limit = limit
        self.kept = 0


class Account:
    """What one request has of them. Close it when the request is over."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._size = 0
        self._counted = 0

    @property
    def size(self) -> int:
        """Bytes of its body."""
        return self._size

    def add(self, size: int) -> None:
        """Keep `size` bytes more. Raises TooManyBodies, after which nothing more is kept."""
        counted = max(0, self._size + size - FREE_BYTES)
        kept = self._bodies.kept + counted - self._counted
        if counted and kept > self._bodies.limit:
            raise TooManyBodies(self._bodies.limit)
        self._bodies.kept = kept
        self._size += size
        self._counted = counted

    def close(self) -> None:
        """Keep nothing any more."""
        self._bodies.kept -= self._counted
        self._size = self._counted = 0
