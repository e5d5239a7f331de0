"""A small second model that says what a large one may say next, in cells of its own.

Its cells follow the sequences' tokens: it reads what it has not seen, in slices, and gives up
guesses that were wrong. Whether its guesses pay is drafting.py's business.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from puna.runner.cells import Cells, Memory
from puna.runner.llama.context import Context, Decoded
from puna.runner.llama.model import Model
from puna.runner.pace import Pace
from puna.runner.prefix import common_length

__all__ = ["NEAR", "Drafter"]

NEAR = 8  # tokens behind: so few are read in the decode that makes the first guess

_PRIOR, _PRIOR_WEIGHT = 0.75, 4.0  # how often a guess is right: an opinion to begin with
_FADING = 0.97  # what an old observation counts, each time a new one comes


@dataclass(slots=True)
class _Luck:
    """How often guesses were right."""

    rate: float = _PRIOR
    weight: float = _PRIOR_WEIGHT

    def note(self, is_right: bool) -> None:
        weight = self.weight * _FADING + 1
        self.rate = (self.rate * self.weight * _FADING + is_right) / weight
        self.weight = weight


@dataclass(slots=True)
class _Follower:
    """A sequence as the draft model has it."""

    sequence: int
    luck: _Luck
    tokens: Sequence[int]
    """All that was said, as far as `begin` has heard."""
    length: int
    """Of those, how many are in the cells."""
    guesses: list[int] = field(default_factory=list)
    """What was guessed to come next; the first `n_ahead` of it are in the cells too."""
    n_ahead: int = 0


class Drafter:
    """A draft model's guesses for the sequences of a loop. Not thread-safe: it is the loop's."""

    def __init__(
        self,
        model: Model,
        context: Context,
        memory: Memory,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """`model` must have the vocabulary of the model whose sequences these are."""
        self._model = model
        self._context = context
        self._cells = Cells(context, memory)
        self._clock = clock
        self._pace = Pace()
        self._luck = _Luck()
        self._followers: OrderedDict[int, _Follower] = OrderedDict()  # least recently used first
        self._active: frozenset[int] = frozenset()

    def begin(self, streams: Mapping[int, Sequence[int]]) -> None:
        """Hear what the sequences have said by now, and give up guesses that were wrong."""
        self._active = frozenset(streams)
        for number, follower in self._followers.items():
            self._settle(follower, streams.get(number))
        for number, tokens in streams.items():
            if number not in self._followers and self._has_place():
                sequence, length = self._cells.open(tokens)
                luck = _Luck(self._luck.rate)
                self._followers[number] = _Follower(sequence, luck, tokens, length)

    def follows(self, number: int) -> bool:
        """Whether there was a place for a sequence."""
        return number in self._followers

    def behind(self, number: int) -> int:
        """How many of a sequence's tokens it has not read."""
        follower = self._followers[number]
        return len(follower.tokens) - follower.length

    def chances(self, number: int, most: int) -> list[float]:
        """How likely the first, the first two, … of its guesses are all right."""
        rate = self._followers[number].luck.rate
        return [rate**count for count in range(1, most + 1)]

    def price(self, numbers: Collection[int], depth: int) -> float:
        """What drafting so many tokens for each of these takes; 0 as long as nobody knows."""
        first = sum(min(self.behind(number), NEAR) for number in numbers)
        return (self._pace.cost(first) or 0.0) + (depth - 1) * (
            self._pace.cost(len(numbers)) or 0.0
        )

    @property
    def reading_cost(self) -> float:
        """What reading a token takes; 0 as long as nobody knows."""
        return self._pace.reading or 0.0

    def read(self, numbers: Sequence[int], most: int) -> int:
        """Read up to `most` tokens of these sequences, but the last of each; returns the time.

        Raises EngineError.
        """
        left = min(most, self._context.n_batch)
        parts: dict[int, Sequence[int]] = {}
        for number in numbers:
            count = min(self.behind(number) - 1, left)
            if count > 0 and self._make_room(most - left + count):
                follower = self._followers[number]
                parts[number] = follower.tokens[follower.length : follower.length + count]
                left -= count
        started = self._clock()
        if not parts or self._decode(parts, logits=0) is None:
            return 0
        taken = self._clock() - started
        self._pace.learn(taken, 0, sum(map(len, parts.values())))
        for number, tokens in parts.items():
            self._grow(self._followers[number], tokens)
        return taken

    def draft(self, counts: Mapping[int, int]) -> dict[int, list[int]]:
        """The likeliest next tokens, so many for each sequence; fewer where one may end.

        All sequences share its decodes. Raises EngineError.
        """
        going = self._fitting(counts)
        while going:
            started = self._clock()
            rows = self._decode(going, logits=1)
            if rows is None:
                break
            said = {number: int(np.argmax(self._context.logits(at))) for number, at in rows.items()}
            self._pace.learn(self._clock() - started, sum(map(len, going.values())), 0)
            for number, token in said.items():
                self._take(self._followers[number], going[number], token)
            going = {
                number: [token]
                for number, token in said.items()
                if not self._model.is_end(token)
                and len(self._followers[number].guesses) < counts[number]
            }
        guesses = {number: list(self._followers[number].guesses) for number in counts}
        return {number: some for number, some in guesses.items() if some}

    def forget(self, number: int) -> None:
        """Drop what is known of a sequence; its cells stay until others need them."""
        follower = self._followers.pop(number, None)
        if follower is not None:
            self._settle(follower, None)
            self._cells.hold(follower.sequence)

    def close(self) -> None:
        """Free the model and its cells."""
        self._followers.clear()
        self._context.close()
        self._model.close()

    def _settle(self, follower: _Follower, tokens: Sequence[int] | None) -> None:
        """Compare guesses with what was said, and keep the cells of those that were right."""
        said = [] if tokens is None else tokens[follower.length :]
        right = common_length(follower.guesses, said)
        for guess, token in zip(follower.guesses[: right + 1], said, strict=False):
            follower.luck.note(guess == token)
            self._luck.note(guess == token)
        kept, ahead = min(right, follower.n_ahead), follower.n_ahead
        follower.n_ahead = 0
        self._grow(follower, follower.guesses[:kept])
        if kept < ahead:
            follower.length = self._cells.reject(follower.sequence, follower.length)
        follower.guesses = []
        if tokens is not None:
            follower.tokens = tokens
            if follower.length >= len(tokens):  # the last one must be computed for a guess
                follower.length = self._cells.cut(follower.sequence, len(tokens) - 1)

    def _grow(self, follower: _Follower, tokens: Sequence[int]) -> None:
        self._cells.grow(follower.sequence, tokens)
        follower.length += len(tokens)

    def _take(self, follower: _Follower, read: Sequence[int], token: int) -> None:
        """Note what a decode has read of a sequence, and the guess that it made."""
        if follower.guesses:
            follower.n_ahead += 1
        else:
            self._grow(follower, read)
        if not self._model.is_end(token):  # such a guess would bring nothing: the answer ends
            follower.guesses.append(token)

    def _fitting(self, counts: Mapping[int, int]) -> dict[int, Sequence[int]]:
        """What is to be read for the first guesses of those for whom there is room."""
        parts: dict[int, Sequence[int]] = {}
        width = cells = 0
        for number, count in counts.items():
            follower = self._followers[number]
            behind = self.behind(number)
            fits = width + behind <= self._context.n_batch
            if fits and self._make_room(cells + behind + count - 1):
                width, cells = width + behind, cells + behind + count - 1
                parts[number] = follower.tokens[follower.length :]
        return parts

    def _decode(self, parts: Mapping[int, Sequence[int]], *, logits: int) -> dict[int, int] | None:
        """Compute tokens; returns where in the batch logits are, None when cells ran out."""
        ahead = sum(follower.n_ahead for follower in self._followers.values())
        self._context.begin(self._cells.used + ahead)
        rows: dict[int, int] = {}
        for number, tokens in parts.items():
            follower = self._followers[number]
            self._followers.move_to_end(number)
            start = follower.length + follower.n_ahead
            rows[number] = self._context.add(follower.sequence, start, tokens, logits=logits)
        if self._context.decode() is Decoded.NO_CELLS:
            self._cells.drop_one()
            return None
        self._context.wait()
        return rows

    def _has_place(self) -> bool:
        """Whether another sequence can be followed; one that does not decode now gives way."""
        return len(self._followers) < self._context.n_live or self._drop_idle()

    def _make_room(self, count: int) -> bool:
        """Free `count` cells; sequences that do not decode now give theirs."""
        while not self._cells.make_room(count):
            if not self._drop_idle():
                return False
        return True

    def _drop_idle(self) -> bool:
        """Give up the least recently used of the sequences that do not decode now."""
        for number, follower in self._followers.items():
            if number not in self._active:
                self._settle(follower, None)
                self._cells.release(follower.sequence)
                del self._followers[number]
                return True
        return False
