"""Whose prompt is read next: clients take turns, and so do the requests of each.

One prompt after the other is read in long pieces, as that costs least; by tokens read, so that a
long prompt cannot keep others waiting for longer than a turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from puna.runner.batch import Share, Want
from puna.runner.fairness import Had, client_weights

__all__ = ["Reading"]

TURN = 512  # tokens, of a weight of 2, that are read before others are looked at
SHORT = 64  # tokens: a prompt that is not longer need not wait for the end of another's turn
TAIL = 2
"""Tokens at the end of a prompt that wait until the others of the turn are as far: then all answers
begin together, and are decoded together."""


class Reading:
    """How far each client's and each request's reading is, and who was read last."""

    def __init__(self) -> None:
        self._had = Had()
        self._last = -1

    def plan(self, wants: Sequence[Want], budget: int, allowance: int) -> list[Share]:
        """Divide `budget` tokens: one for each who says its next word, and of the rest at most
        `allowance` for those who read."""
        readers = [want for want in wants if want.pending > 1]
        streams = [want for want in wants if want.pending == 1][:budget]
        counts = dict.fromkeys((want.key for want in streams), 1)
        if readers:
            counts |= self._deal(readers, min(allowance, budget - len(streams)))
        return [Share(each.key, counts[each.key]) for each in wants if counts.get(each.key)]

    def _deal(self, readers: Sequence[Want], budget: int) -> dict[int, int]:
        """How many of `budget` tokens each gets, those that get any."""
        self._had.enter(readers)
        far, last = self._had.copy(), self._last
        weights = client_weights(readers)
        counts: dict[int, int] = {}
        left = list(readers)
        while budget > 0 and left:
            reader = min(left, key=lambda each: _standing(each, counts.get(each.key, 0), far, last))
            pending = reader.pending - counts.get(reader.key, 0)
            stays = TAIL if len(left) > 1 and pending > TAIL else 0
            count = min(pending - stays, budget)
            counts[reader.key] = counts.get(reader.key, 0) + count
            budget -= count
            far.add(reader, count, weights)
            last = reader.key
            if count == pending:
                left.remove(reader)
        return counts

    def note(self, wants: Sequence[Want], shares: Sequence[Share]) -> None:
        """Take in what was computed of a plan for these."""
        counts = {share.key: share.count for share in shares}
        readers = [want for want in wants if want.pending > 1]
        weights = client_weights(readers)
        for each in readers:
            if count := counts.get(each.key, 0):
                self._had.add(each, count, weights)
                self._last = each.key


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
