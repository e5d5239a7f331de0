"""Whose prompt is read next: clients take turns, and so do the requests of each.

One prompt after the other is read in long pieces, as that costs least; by tokens read, so that a
long prompt cannot keep others waiting for longer than a turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from puna.runner.batch import Share, Want
from puna.runner.fairness import Had, client_weights

__all__ = ["Reading"]

TURN = 512  # tokens, of a weight of 2, that are read before others are looked at
SHORT = 64  # tokens: a prompt that is not longer need not wait for the end of another's turn
_PIECE = 128  # tokens: it is efficient to compute so many
_BLOCK = 256
"""Tokens of a prompt that is computed for itself, at a time, up to the next multiple: attention on
processors goes through whole blocks of cells, and half of a longer piece has no use for the end."""

TAIL = 2
"""Tokens at the end of a prompt that wait until the others of the turn are as far, and, where
nobody answers yet, until those are that came with it and are no longer than it is: then all answers
begin together, and are decoded together."""


class Reading:
    """How far each client's and each request's reading is, and who was read last."""

    def __init__(self) -> None:
        self._had = Had()
        self._last = -1
        self._lengths: dict[int, int] = {}  # of what there was to read
        self._company: dict[int, set[int]] = {}  # whom each waits for at its tail
        self._patience: dict[int, int] = {}  # for how many tokens yet

    def plan(
        self, wants: Sequence[Want], budget: int, allowance: int, *, apart: bool = False
    ) -> list[Share]:
        """Divide `budget` tokens: one for each who says its next word, and of the rest at most
        `allowance` for those who read. With `apart` each prompt is computed for itself, block by
        block: then a long piece of one is not filled up with a piece of another."""
        readers = [want for want in wants if want.pending > 1]
        streams = [want for want in wants if want.pending == 1][:budget]
        counts = dict.fromkeys((want.key for want in streams), 1)
        if readers:
            self._enter(readers)
            left = min(allowance, budget - len(streams))
            counts |= self._deal(readers, left, apart=apart, begins_together=not streams)
        return [Share(each.key, counts[each.key]) for each in wants if counts.get(each.key)]

    def _enter(self, readers: Sequence[Want]) -> None:
        self._had.enter(readers)
        self._lengths = {each.key: self._lengths.get(each.key, each.pending) for each in readers}
        self._company = {each.key: self._equals(each, readers) for each in readers}
        pending = {each.key: each.pending for each in readers}
        self._patience = {
            key: self._patience.get(key, sum(pending.get(each, 0) for each in self._company[key]))
            for key, count in pending.items()
            if count <= TAIL
        }

    def _equals(self, want: Want, readers: Sequence[Want]) -> set[int]:
        """Who came before a turn of this one was read, and has no more to read than it had."""
        length, known = self._lengths[want.key], self._company.get(want.key)
        if known is not None and (length - want.pending > TURN or want.pending <= TAIL):
            return known
        return {each.key for each in readers if TAIL < each.pending <= length}

    def _deal(
        self, readers: Sequence[Want], budget: int, *, apart: bool, begins_together: bool
    ) -> dict[int, int]:
        """How many of `budget` tokens each gets, those that get any."""
        far, newest = self._had.copy(), self._last
        weights = client_weights(readers)
        counts: dict[int, int] = {}
        left = list(readers)

        def standing(want: Want) -> tuple[bool, int, int, int]:
            given = counts.get(want.key, 0)
            waits = begins_together and self._waits(want, left, counts)
            return waits, *_standing(want, given, far, newest)

        while budget > 0 and left:
            reader = min(left, key=standing)
            pending = reader.pending - counts.get(reader.key, 0)
            last = int(apart and not begins_together and reader.position >= _BLOCK)
            stays = TAIL if len(left) > 1 and pending > TAIL else last
            count = min(pending - stays, budget)
            if apart and count > TAIL and sum(counts.values()) >= _PIECE:
                break
            if apart:
                count = _whole_blocks(reader.position + counts.get(reader.key, 0), count)
            counts[reader.key] = counts.get(reader.key, 0) + count
            budget -= count
            far.add(reader, count, weights)
            newest = reader.key
            if pending - count <= last:  # which comes with others' next words, and like them
                left.remove(reader)
        return counts

    def _waits(self, want: Want, readers: Sequence[Want], counts: Mapping[int, int]) -> bool:
        """Whether somebody is still being read whom this one, at its tail, waits for."""
        if want.pending - counts.get(want.key, 0) > TAIL:
            return False
        if self._patience.get(want.key, 1) <= 0:
            return False
        company = self._company[want.key]
        return any(
            each.key in company and each.pending - counts.get(each.key, 0) > TAIL
            for each in readers
        )

    def reopen(self, key: int) -> None:
        """The end of this one, which was read already, waits for those who have come meanwhile."""
        self._company.pop(key, None)

    def note(self, wants: Sequence[Want], shares: Sequence[Share]) -> None:
        """Take in what was computed of a plan for these."""
        counts = {share.key: share.count for share in shares}
        readers = [want for want in wants if want.pending > 1]
        weights = client_weights(readers)
        for each in readers:
            if count := counts.get(each.key, 0):
                self._had.add(each, count, weights)
                self._last = each.key
        for key in self._patience:
            self._patience[key] -= sum(counts.get(each.key, 0) for each in readers)


def _whole_blocks(position: int, count: int) -> int:
    """Tokens up to the end of a block, or all where few would be left over."""
    to_end = _BLOCK - position % _BLOCK
    return to_end if count >= to_end + SHORT else count


def _standing(want: Want, given: int, far: Had, last: int) -> tuple[int, int, int]:
    """The least is next; `given` tokens of this decode are the request's already, and `last` was
    read last."""
    pending = want.pending - given
    if want.is_new and not given and pending <= SHORT:
        place = 0
    elif pending <= TAIL:
        place = 3
    else:
        place = 1 if want.key == last else 2
    turn = int(far.clients[want.client] // TURN), int(far.requests[want.key] // TURN)
    return *turn, place
