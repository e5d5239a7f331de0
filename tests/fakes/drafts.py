"""Guesses without regard to what they cost: right, half right and wrong ones, by chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from puna.runner.payoff import Cost

__all__ = ["RandomDrafts"]


class RandomDrafts:
    """Stands for Speculation: drafts up to `longest` tokens for anybody, `oracle` knows the next.

    Half of the drafts are right to their end; the others go wrong somewhere.
    """

    def __init__(
        self,
        draw: random.Random,
        oracle: Callable[[int, Sequence[int]], int],
        n_vocab: int,
        longest: int = 6,
    ) -> None:
        self._draw = draw
        self._oracle = oracle
        self._n_vocab = n_vocab
        self._longest = longest
        self.forgotten: list[int] = []

    def drafts(
        self, streams: Mapping[int, tuple[Sequence[int], int]], cost: Cost, room: int
    ) -> dict[int, list[int]]:
        drafts = {}
        for number, (tokens, most) in streams.items():
            length = min(self._draw.randint(0, self._longest), most, room)
            if length > 0:
                drafts[number] = self._draft(number, tokens, length)
                room -= length
        return drafts

    def _draft(self, number: int, tokens: Sequence[int], length: int) -> list[int]:
        wrong = self._draw.randrange(length) if self._draw.random() < 0.5 else length
        known = list(tokens)
        for place in range(length):
            if place == wrong:
                known.append(self._draw.randrange(self._n_vocab))
            else:
                known.append(self._oracle(number, known))
        return known[len(tokens) :]

    def forget(self, number: int) -> None:
        self.forgotten.append(number)
