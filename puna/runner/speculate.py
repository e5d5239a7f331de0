"""Which guessed tokens a decode checks beside everybody's next one: as many as pay for themselves.

A draft costs time, which the measured pace tells, and brings tokens, which the measured luck of
earlier guesses tells. It changes no answer: every token is still drawn by its sequence's sampler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from puna.runner.lookup import Lookup

__all__ = ["Speculation", "plan_drafts"]

MOST = 24  # tokens drafted for one sequence
WORTH = 1.1
"""Drafts must promise this many times the tokens per second that there are without."""

BEARABLE = 1.25
"""Where somebody has no draft, the others' may stretch the decode this far."""

_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # that are weighed against each other
_PLAIN_EVERY = 32  # decodes: one goes without drafts, to know what that costs now
_READ = 4096  # tokens read in one step: a long prompt must not hold up everybody else

Cost = Callable[[int], float | None]


class Speculation:
    """The guesses of all sequences of a loop, each known by its number."""

    def __init__(self) -> None:
        self._lookups: dict[int, Lookup] = {}
        self._drafted_in_a_row = 0

    def drafts(
        self, streams: Mapping[int, tuple[Sequence[int], int]], cost: Cost, room: int
    ) -> dict[int, list[int]]:
        """Tokens to check for each stream that says its next word.

        `streams` has their tokens and how many may be drafted for each, `cost` is what a decode of
        so many tokens takes, `room` how many drafted tokens fit into this one.
        """
        chances: dict[int, list[float]] = {}
        for number, (tokens, most) in streams.items():
            lookup = self._lookups.setdefault(number, Lookup())
            if lookup.follow(tokens, _READ) and (found := lookup.chances(min(most, MOST))):
                chances[number] = found
        if self._drafted_in_a_row >= _PLAIN_EVERY:
            chances.clear()
        counts = plan_drafts(chances, len(streams), cost, room) if chances else {}
        self._drafted_in_a_row = self._drafted_in_a_row + 1 if counts else 0
        return {number: self._lookups[number].guess(count) for number, count in counts.items()}

    def forget(self, number: int) -> None:
        """Drop what is known of a sequence: it ended, or its tokens are others now."""
        self._lookups.pop(number, None)


def plan_drafts(
    chances: Mapping[int, Sequence[float]], n_streams: int, cost: Cost, room: int
) -> dict[int, int]:
    """How many tokens to draft for whom; empty when plain decoding is as good.

    `chances` are, for each sequence, how likely its first, its first two, … guesses are all right:
    the tokens a draft brings. Every sequence draws one token in any case.
    """
    plain = cost(n_streams)
    if plain is None:
        return {}
    likeliest = sorted(
        ((chance, key) for key, some in chances.items() for chance in some), reverse=True
    )
    best, size = WORTH * n_streams / plain, 0
    limit = plain * BEARABLE if len(chances) < n_streams else float("inf")
    brought, summed = float(n_streams), 0
    for count in _SIZES:
        if count > min(room, len(likeliest)):
            break
        brought += sum(chance for chance, _ in likeliest[summed:count])
        summed = count
        price = cost(n_streams + count)
        if price is None:
            break
        if price <= limit and brought / price > best:
            best, size = brought / price, count
    counts: dict[int, int] = {}
    for _, key in likeliest[:size]:
        counts[key] = counts.get(key, 0) + 1
    return counts
