"""Which saved runs of cells make up a prompt's beginning, and what is worth saving. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from puna.runner.prefix import common_length
from puna.runner.warm.form import Entry

__all__ = ["Kept", "Part", "by_value", "cover", "longest_whole"]

_HALF = 8  # sequences used since that halve a sequence's worth


@dataclass(frozen=True, slots=True)
class Part:
    """The cells `start` to `end` of a prompt are in `entry`."""

    entry: Entry
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A sequence that could be saved. `uses` is how many prompts have shared it."""

    sequence: int
    tokens: list[int]
    uses: int = 0


def cover(entries: Iterable[Entry], tokens: array[int], start: int = 0) -> list[Part]:
    """Runs that together reach as far as possible from `start` on; the fewest that do."""
    reached = [(each, common_length(each.tokens, tokens)) for each in entries]
    parts: list[Part] = []
    while True:
        fitting = [(end, each) for each, end in reached if each.start <= start < end]
        if not fitting:
            return parts
        end, entry = max(fitting, key=lambda pair: (pair[0], -pair[1].end))
        parts.append(Part(entry, start, end))
        start = end


def longest_whole(entries: Iterable[Entry], tokens: array[int]) -> Part | None:
    """The longest saved sequence that is a beginning of `tokens` from its first to its last."""
    whole = [
        each
        for each in entries
        if each.start == 0 and each.end == common_length(each.tokens, tokens)
    ]
    if not whole:
        return None
    best = max(whole, key=lambda each: each.end)
    return Part(best, 0, best.end)


def by_value(kept: Iterable[Kept]) -> list[Kept]:
    """What saves the most work first. `kept` comes with the most recently used first.

    Worth is the tokens that need not be computed again, times how often that was of use, times how
    likely it is to be of use again.
    """

    def worth(rank: int, each: Kept) -> float:
        return float(len(each.tokens) * (1 + each.uses) * 0.5 ** (rank / _HALF))

    ranked = sorted(enumerate(kept), key=lambda pair: -worth(*pair))
    return [each for _, each in ranked]
