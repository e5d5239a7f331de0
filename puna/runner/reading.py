"""Whose prompt is read next: clients take turns, and so do the requests of each.

One prompt after the other is read in long pieces, as that costs least; by tokens read, as in
start-time fair queueing (Goyal, Vin and Cheng, 1996), so that a long prompt cannot keep others
waiting for longer than a turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from puna.runner.batch import Share, Want

__all__ = ["Reading"]

TURN = 512  # tokens, of a weight of 2, that are read before others are looked at
SHORT = 64  # tokens: a prompt that is not longer need not wait for the end of another's turn
TAIL = 2
"""Tokens at the end of a prompt that wait until the others of the turn are as far: then all answers
begin together, and are decoded together."""


@dataclass(slots=True)
class _Progress:
    """How far clients and requests are, and who was read last."""

    clients: dict[str, float]
    requests: dict[int, float]
    last: int

    def standing(self, want: Want, given: int) -> tuple[int, int, int]:
        """The least is next; `given` tokens of this decode are the request's already."""
        pending = want.pending - given
        if want.is_new and not given and pending <= SHORT:
            place = 0
        elif pending <= TAIL:
            place = 3
        else:
            place = 1 if want.key == self.last else 2
        turn = int(self.clients[want.client] // TURN), int(self.requests[want.key] // TURN)
        return *turn, place

    def add(self, want: Want, count: int, client_weights: Mapping[str, int]) -> None:
        self.clients[want.client] += 2 * count / client_weights[want.client]
        self.requests[want.key] += 2 * count / want.weight
        self.last = want.key


class Reading:
    """How far each client's and each request's reading is, in tokens by weight."""

    def __init__(self) -> None:
        self._clients: dict[str, float] = {}
        self._requests: dict[int, float] = {}
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
        """How many of `budget` tokens each gets, those that get any. Between clients each counts
        as its weightiest request."""
        self._enter(readers)
        far = _Progress(dict(self._clients), dict(self._requests), self._last)
        weights = _client_weights(readers)
        counts: dict[int, int] = {}
        left = list(readers)
        while budget > 0 and left:
            reader = min(left, key=lambda each: far.standing(each, counts.get(each.key, 0)))
            pending = reader.pending - counts.get(reader.key, 0)
            stays = TAIL if len(left) > 1 and pending > TAIL else 0
            count = min(pending - stays, budget)
            counts[reader.key] = counts.get(reader.key, 0) + count
            budget -= count
            far.add(reader, count, weights)
            if count == pending:
                left.remove(reader)
        return counts

    def note(self, wants: Sequence[Want], shares: Sequence[Share]) -> None:
        """Take in what was computed of a plan for these."""
        counts = {share.key: share.count for share in shares}
        readers = [want for want in wants if want.pending > 1]
        weights = _client_weights(readers)
        far = _Progress(self._clients, self._requests, self._last)
        for each in readers:
            if count := counts.get(each.key, 0):
                far.add(each, count, weights)
        self._last = far.last

    def _enter(self, readers: Iterable[Want]) -> None:
        """Those who are new begin where the one that is least far is; who is gone is forgotten, but
        a client that is further than others keeps that as long as they read."""
        present = {each.client for each in readers}
        start = min((self._clients[name] for name in present & self._clients.keys()), default=0.0)
        ahead = {name: far for name, far in self._clients.items() if far > start}
        self._clients = {name: max(start, ahead.get(name, start)) for name in present | {*ahead}}
        if not present:
            self._clients = {}
        own: dict[str, float] = {}
        for each in readers:
            if each.key in self._requests:
                far = self._requests[each.key]
                own[each.client] = min(own.get(each.client, far), far)
        self._requests = {
            each.key: self._requests.get(each.key, own.get(each.client, 0.0)) for each in readers
        }


def _client_weights(readers: Iterable[Want]) -> dict[str, int]:
    weights: dict[str, int] = {}
    for each in readers:
        weights[each.client] = max(weights.get(each.client, 0), each.weight)
    return weights
