"""Who is admitted next, and who goes when cells run short: priorities that starve nobody. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from puna.runner.protocol import Priority

__all__ = ["in_turn", "victim", "weight"]

_RANKS: dict[Priority, int] = {"high": 0, "normal": 1, "low": 2}
_WEIGHTS: dict[Priority, int] = {"high": 4, "normal": 2, "low": 1}
RISE_NS = 10_000_000_000
"""Who has waited this long counts as one rank higher; twice as long, two."""


class Ranked(Protocol):
    """What is known of a generation here. `arrived_ns` is when it was asked for."""

    @property
    def priority(self) -> Priority: ...

    @property
    def arrived_ns(self) -> int: ...


R = TypeVar("R", bound=Ranked)


def in_turn(waiting: Iterable[R], now_ns: int) -> list[R]:
    """Those who wait, the next first: by rank, which rises with the time waited, then arrival."""

    def turn(each: R) -> tuple[int, int]:
        waited = max(0, now_ns - each.arrived_ns)
        return _RANKS[each.priority] - waited // RISE_NS, each.arrived_ns

    return sorted(waiting, key=turn)


def victim(running: Iterable[R]) -> R:
    """Who gives up its cells: the last to come among the least important."""
    return max(running, key=lambda each: (_RANKS[each.priority], each.arrived_ns))


def weight(priority: Priority) -> int:
    """How large a share of the prompt tokens in a decode one may take, against others."""
    return _WEIGHTS[priority]
