"""Guesses at what a sequence says next: what followed the last time it said the same words. Pure.

No second model: text that repeats its prompt (edits, extraction, code) is guessed well.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["GRAM", "Lookup"]

GRAM = 3  # tokens that must agree before anything is guessed
_CANDIDATES = 4  # earlier places that are compared, the most recent first
_COPY = 8  # tokens that agreed: this is no accident
_LONGEST = 32  # tokens that are compared backwards

# how often the next guess is right after so many tokens that agreed: an opinion to begin with
_RUNS = (4, 8, 16)
_PRIOR = (0.4, 0.6, 0.85, 0.95)
_PRIOR_WEIGHT = 4.0
_FADING = 0.97  # what an old observation counts, each time a new one comes


class Lookup:
    """Everything a sequence has read and said, and where in it the present repeats the past.

    Guesses are checked against what is said whether or not anybody uses them: how often they are
    right is known before the first one costs anything.
    """

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._is_reading = True
        self._latest: dict[tuple[int, ...], int] = {}  # a gram to where its continuation begins
        self._earlier: list[int] = []  # for every position, the place of the same gram before it
        self._next = 0  # where the guessed continuation begins; 0 when there is none
        self._run = 0  # tokens before it that agree with the newest ones
        self._right = [rate * _PRIOR_WEIGHT for rate in _PRIOR]
        self._seen = [_PRIOR_WEIGHT] * len(_PRIOR)

    def follow(self, tokens: Sequence[int], most: int) -> bool:
        """Take in what is new at the end of `tokens`: the prompt, then what was generated.

        Of the prompt at most `most` at a time; True once all of it was read.
        """
        known = len(self._tokens)
        if not self._is_reading:
            for token in tokens[known:]:
                self._check(token)
            return True
        for token in tokens[known : known + most]:
            self._append(token)
        self._is_reading = known + most < len(tokens)
        if not self._is_reading:
            self._search()
        return not self._is_reading

    def _check(self, token: int) -> None:
        """Take in a token that was generated, and whether it was guessed."""
        if not self._next:
            self._append(token)
            self._search()
            return
        is_right = self._tokens[self._next] == token
        self._append(token)
        rank = _rank(self._run)
        self._seen[rank] = self._seen[rank] * _FADING + 1
        self._right[rank] = self._right[rank] * _FADING + is_right
        if is_right:
            self._next += 1
            self._run += 1
        else:
            self._search_after_change()

    def _search_after_change(self) -> None:
        """A copy that was changed in one place may go on behind it: it has half of the trust."""
        copied, behind = self._run, self._next + 1
        self._search()
        if not self._next and copied > _COPY:
            self._next, self._run = behind, min(copied, _LONGEST) // 2

    def guess(self, most: int) -> list[int]:
        """Up to `most` tokens that may come next; what repeats itself is guessed to go on."""
        if not self._next:
            return []
        period = len(self._tokens) - self._next
        guessed = self._tokens[self._next : self._next + most]
        while len(guessed) < most:
            guessed += guessed[-period:][: most - len(guessed)]
        return guessed

    def chances(self, most: int) -> list[float]:
        """How likely the first, the first two, … of the guessed tokens are all right."""
        chances: list[float] = []
        if self._next:
            chance = 1.0
            rates = [right / seen for right, seen in zip(self._right, self._seen, strict=True)]
            for run in range(self._run, self._run + most):
                chance *= rates[_rank(run)]
                chances.append(chance)
        return chances

    def _append(self, token: int) -> None:
        tokens = self._tokens
        tokens.append(token)
        gram = tuple(tokens[-GRAM:])
        self._earlier.append(self._latest.get(gram, 0))
        self._latest[gram] = len(tokens)

    def _search(self) -> None:
        """Find the place whose past is longest that of the present; the most recent of equals."""
        end = len(self._tokens)
        self._next = self._run = 0
        if end <= GRAM:
            return
        place = self._earlier[end - 1]
        for _ in range(_CANDIDATES):
            if not place:
                return
            run = self._agreement(place, end)
            if run > self._run:
                self._next, self._run = place, run
            place = self._earlier[place - 1]

    def _agreement(self, place: int, end: int) -> int:
        tokens, most = self._tokens, min(place, _LONGEST)
        run = GRAM
        while run < most and tokens[place - run - 1] == tokens[end - run - 1]:
            run += 1
        return run


def _rank(run: int) -> int:
    for rank, limit in enumerate(_RUNS):
        if run <= limit:
            return rank
    return len(_RUNS)
