"""Machines that are not there: memory and cards as tests say."""

from __future__ import annotations

from puna.discover.hardware import Card, Free, SystemMemory

__all__ = ["GIB", "MIB", "FakeProbe", "a_card", "machine"]

MIB = 1 << 20
GIB = 1 << 30


def a_card(
    index: int,
    total: int,
    free: int | None = None,
    *,
    library: str = "CUDA",
    integrated: bool = False,
) -> Card:
    """A card of so many bytes, all of them free unless said otherwise."""
    return Card(
        index=index,
        name=f"{library}{index}",
        library=library,
        total=total,
        free=total if free is None else free,
        is_integrated=integrated,
        id=f"0000:{index:02x}:00.0",
    )


def machine(total: int, *cards: Card, available: int | None = None) -> Free:
    """A machine with so many bytes of memory."""
    return Free(SystemMemory(total, total if available is None else available), cards)


class FakeProbe:
    """Says what it was told (discover.hardware.Probe); `asked` counts how often."""

    def __init__(self, free: Free) -> None:
        self.now = free
        self.asked = 0

    async def free(self) -> Free:
        """What `now` holds."""
        self.asked += 1
        return self.now
