"""When a draft model's guesses pay: its time and its luck, weighed against guesses that are free.

A sequence whose guesses are mostly wrong is not drafted for. It is tried again now and then, as far
as a small share of the time allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from puna.runner.drafter import NEAR, Drafter
from puna.runner.payoff import BEARABLE, Cost, Plan, plan_drafts

__all__ = ["Drafting"]

_DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16)  # tokens drafted one after the other, weighed against others
_TRIAL = 2  # tokens drafted to see whether they are right
_TRIALS = 0.02  # of the time may go into trials
_SAVED = 4.0  # decodes: so much of that time may be saved up
_LEFT = 256  # tokens that an answer is expected to go on for, where it may
_SLICE = (16, 1024)  # tokens that a draft model reads in one step to catch up: least, most

Streams = Mapping[int, tuple[Sequence[int], int]]
Chances = Mapping[int, Sequence[float]]


class Drafting:
    """Decides step by step who is drafted for, how far, and whose text the draft model reads."""

    def __init__(self, drafter: Drafter) -> None:
        self._drafter = drafter
        self._slice = _SLICE[0]
        self._credit = 0.0

    def drafts(
        self, streams: Streams, found: Chances, cost: Cost, room: int
    ) -> tuple[dict[int, int], dict[int, list[int]]]:
        """How many of the guesses `found` in the text to use, and the draft model's for others.

        The arguments are those of `Speculation.drafts`, `found` the chances of free guesses.
        Raises EngineError when the draft model fails.
        """
        plain = cost(len(streams))
        if plain is None:
            return {}, {}
        self._drafter.begin({number: tokens for number, (tokens, _) in streams.items()})
        self._credit = min(self._credit + _TRIALS * plain, _SAVED * plain)
        free = plan_drafts(found, len(streams), cost, room)
        able = {number for number in streams if self._drafter.follows(number)}
        plan, chosen = self._best(free, able, streams, found, cost, room)
        late = {number for number in chosen if self._drafter.behind(number) > NEAR}
        if late:
            saved = 1 / free.rate - 1 / plan.rate
            self._catch_up([each for each in late if self._pays(each, streams, saved)], plain)
            plan, chosen = self._best(free, able - late, streams, found, cost, room)
        idle = able - late - plan.counts.keys()
        checked = sum(plan.counts.values())
        trial: dict[int, int] = {}
        if self._credit > 0 and room - checked >= _TRIAL:
            trial = self._trial(idle, streams)
            width = len(streams) + checked
            self._credit -= _rise(cost, width, width + _TRIAL) if trial else 0.0
        texts = {each: count for each, count in plan.counts.items() if each not in chosen}
        drafted = {each: plan.counts[each] for each in chosen}
        return texts, self._drafter.draft(drafted | trial)

    def forget(self, number: int) -> None:
        """Drop what is known of a sequence."""
        self._drafter.forget(number)

    def close(self) -> None:
        """Free the draft model."""
        self._drafter.close()

    def _best(
        self, free: Plan, able: set[int], streams: Streams, found: Chances, cost: Cost, room: int
    ) -> tuple[Plan, set[int]]:
        """The plan that promises most, and for whom of it the draft model guesses."""
        best, guessed = free, set[int]()
        for depth in _DEPTHS:
            chances = dict(found)
            chosen: set[int] = set()
            for number in able:
                luck = self._drafter.chances(number, min(depth, streams[number][1]))
                if sum(luck) > sum(found.get(number, ())):
                    chances[number] = luck
                    chosen.add(number)
            if not chosen:
                break
            spent = self._drafter.price(chosen, depth)
            plan = plan_drafts(chances, len(streams), cost, room, spent)
            if plan.counts and plan.rate > best.rate:
                best, guessed = plan, chosen & plan.counts.keys()
        return best, guessed

    def _pays(self, number: int, streams: Streams, saved: float) -> bool:
        """Whether reading a text is worth it, if every token of the rest is `saved` so much."""
        to_read = self._drafter.behind(number) * self._drafter.reading_cost
        return to_read <= saved * min(streams[number][1], _LEFT)

    def _catch_up(self, numbers: Sequence[int], plain: float) -> None:
        """Let the draft model read on, as long as streams can bear to wait."""
        if not numbers:
            return
        least, most = _SLICE
        taken = self._drafter.read(numbers, self._slice)
        is_bearable = taken <= plain * (BEARABLE - 1)
        self._slice = min(self._slice * 2, most) if is_bearable else max(self._slice // 2, least)

    def _trial(self, numbers: set[int], streams: Streams) -> dict[int, int]:
        """Draft for somebody who is not drafted for, to see whether it would pay by now."""
        able = [each for each in numbers if streams[each][1] >= _TRIAL]
        if not able:
            return {}
        number = min(able, key=self._drafter.behind)
        if self._drafter.behind(number) > NEAR:
            self._credit -= self._drafter.read([number], self._slice)
            return {}
        self._credit -= self._drafter.price({number}, _TRIAL)
        return {number: _TRIAL}


def _rise(cost: Cost, narrow: int, wide: int) -> float:
    """How much more a wider decode takes; 0 as long as nobody knows."""
    return (cost(wide) or 0.0) - (cost(narrow) or 0.0)
