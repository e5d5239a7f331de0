"""Which guessed tokens are worth checking: as many as raise the tokens per second. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["BEARABLE", "WORTH", "Cost", "Plan", "plan_drafts"]

WORTH = 1.1
"""Drafts must promise this many times the tokens per second that there are without."""

BEARABLE = 1.25
"""Where somebody has no draft, the others' may stretch the decode this far."""

_FEW = (1, 2, 3, 4, 6)  # drafted tokens that are weighed against each other, and
_WIDTHS = (8, 16, 32, 48, 64)
"""as many as make a decode so wide: engines compute in blocks, a decode of 17 tokens costs a third
more than one of 16."""

Cost = Callable[[int], float | None]
"""What a decode of so many tokens takes, None as long as nothing like it was seen."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many tokens to draft for whom, and the tokens per unit of time that this promises."""

    counts: dict[int, int]
    rate: float


def plan_drafts(
    chances: Mapping[int, Sequence[float]],
    n_streams: int,
    cost: Cost,
    room: int,
    spent: float = 0.0,
) -> Plan:
    """How many tokens to draft for whom; nothing when plain decoding is as good.

    `chances` are, for each sequence, how likely its first, its first two, … guesses are all right:
    the tokens a draft brings. Every sequence draws one token in any case. `spent` is the time that
    the guesses themselves take.
    """
    plain = cost(n_streams)
    if plain is None:
        return Plan({}, 0.0)
    likeliest = sorted(
        ((chance, key) for key, some in chances.items() for chance in some), reverse=True
    )
    best, size = WORTH * n_streams / plain, 0
    limit = plain * BEARABLE if len(chances) < n_streams else float("inf")
    brought, summed = float(n_streams), 0
    for count in _sizes(n_streams):
        if count > min(room, len(likeliest)):
            break
        brought += sum(chance for chance, _ in likeliest[summed:count])
        summed = count
        price = cost(n_streams + count)
        if price is None:
            break
        price += spent
        if price <= limit and brought / price > best:
            best, size = brought / price, count
    counts: dict[int, int] = {}
    for _, key in likeliest[:size]:
        counts[key] = counts.get(key, 0) + 1
    return Plan(counts, best if size else n_streams / plain)


def _sizes(n_streams: int) -> list[int]:
    wide = {width - n_streams for width in _WIDTHS if width > n_streams}
    return sorted(wide.union(_FEW))
