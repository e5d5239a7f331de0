"""Times between the tokens of an answer, sorted by their length: a runner counts them where tokens
are drawn, the server adds them up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

__all__ = ["GAP_SECONDS", "added", "gap_place", "no_gaps"]

GAP_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Upper ends of the classes; one more holds what is longer."""

_ENDS_NS = [int(seconds * 1e9) for seconds in GAP_SECONDS]


def no_gaps() -> list[int]:
    """A count of zero for each class."""
    return [0] * (len(GAP_SECONDS) + 1)


def gap_place(nanoseconds: int) -> int:
    """The class of a time."""
    return bisect_left(_ENDS_NS, nanoseconds)


def added(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """The counts of both, where either may be empty."""
    if not first or not second:
        return tuple(first or second)
    return tuple(one + other for one, other in zip(first, second, strict=True))
