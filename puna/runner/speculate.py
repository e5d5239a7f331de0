"""Guessed tokens that a decode checks beside everybody's next one, whoever guesses them.

A draft costs time, which the measured pace tells, and brings tokens, which the measured luck of
earlier guesses tells. It changes no answer: every token is still drawn by its sequence's sampler.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from puna.errors import EngineError
from puna.runner.drafting import Drafting
from puna.runner.lookup import Lookup
from puna.runner.payoff import Cost, plan_drafts

__all__ = ["Speculation"]

log = logging.getLogger(__name__)

MOST = 31  # tokens drafted for one sequence: a decode of 32 with the one that is certain

_PLAIN_EVERY = 32  # decodes: one goes without drafts, to know what that costs now
_READ = 4096  # tokens read in one step: a long prompt must not hold up everybody else


class Speculation:
    """The guesses of all sequences of a loop, each known by its number."""

    def __init__(self, drafting: Drafting | None = None) -> None:
        """Guesses are looked up in the text, and with `drafting` a second model's as well."""
        self._drafting = drafting
        self._lookups: dict[int, Lookup] = {}
        self._drafted_in_a_row = 0

    def drafts(
        self, streams: Mapping[int, tuple[Sequence[int], int]], cost: Cost, room: int
    ) -> dict[int, list[int]]:
        """Tokens to check for each stream that says its next word.

        `streams` has their tokens and how many may be drafted for each, `cost` is what a decode of
        so many tokens takes, `room` how many drafted tokens fit into this one.
        """
        found: dict[int, list[float]] = {}
        for number, (tokens, most) in streams.items():
            lookup = self._lookups.setdefault(number, Lookup())
            if lookup.follow(tokens, _READ) and (chances := lookup.chances(min(most, MOST))):
                found[number] = chances
        drafts: dict[int, list[int]] = {}
        if self._drafted_in_a_row < _PLAIN_EVERY:
            drafts = self._choose(streams, found, cost, room)
        self._drafted_in_a_row = self._drafted_in_a_row + 1 if drafts else 0
        return drafts

    def forget(self, number: int) -> None:
        """Drop what is known of a sequence: it ended, or its tokens are others now."""
        self._lookups.pop(number, None)
        if self._drafting is not None:
            self._drafting.forget(number)

    def _choose(
        self,
        streams: Mapping[int, tuple[Sequence[int], int]],
        found: Mapping[int, Sequence[float]],
        cost: Cost,
        room: int,
    ) -> dict[int, list[int]]:
        """The guesses that promise most: from the text, from the second model, or from both."""
        counts, drafts = self._plan(streams, found, cost, room)
        for number, count in counts.items():
            drafts[number] = self._lookups[number].guess(count)
        return drafts

    def _plan(
        self,
        streams: Mapping[int, tuple[Sequence[int], int]],
        found: Mapping[int, Sequence[float]],
        cost: Cost,
        room: int,
    ) -> tuple[dict[int, int], dict[int, list[int]]]:
        """How many of the guesses in the text to use, and the second model's for others."""
        if self._drafting is not None:
            try:
                return self._drafting.drafts(streams, found, cost, room)
            except EngineError as error:
                log.warning("the draft model is not used any more: %s", error)
                self._drafting.close()
                self._drafting = None
        return plan_drafts(found, len(streams), cost, room).counts if found else {}, {}
