"""How much of the engine clients and their requests have had, in tokens by weight.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): who has had least is next, and who is new
begins where the one that has had least is. Nobody starves, as nobody is passed over for ever. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

__all__ = ["Had", "Served", "client_weights"]


class Served(Protocol):
    """A request as it is known here. Between clients each counts as its weightiest request."""

    @property
    def key(self) -> int: ...

    @property
    def client(self) -> str: ...

    @property
    def weight(self) -> int: ...


class Had:
    """What `clients` and `requests` have had: tokens at a weight of 2."""

    def __init__(self) -> None:
        self.clients: dict[str, float] = {}
        self.requests: dict[int, float] = {}

    def copy(self) -> Had:
        """The same, to plan with."""
        other = Had()
        other.clients, other.requests = dict(self.clients), dict(self.requests)
        return other

    def add(self, served: Served, count: int, weights: Mapping[str, int]) -> None:
        """Note `count` tokens; `weights` are the clients'."""
        self.clients[served.client] += 2 * count / weights[served.client]
        self.requests[served.key] += 2 * count / served.weight

    def enter(self, present: Iterable[Served]) -> None:
        """Let those in who are new. Who is gone is forgotten, but a client that has had more than
        others keeps that as long as anybody is there."""
        there = list(present)
        names = {each.client for each in there}
        start = min((self.clients[name] for name in names & self.clients.keys()), default=0.0)
        ahead = {name: had for name, had in self.clients.items() if had > start}
        self.clients = {name: max(start, ahead.get(name, start)) for name in names | {*ahead}}
        if not names:
            self.clients = {}
        own: dict[str, float] = {}
        for each in there:
            if each.key in self.requests:
                had = self.requests[each.key]
                own[each.client] = min(own.get(each.client, had), had)
        self.requests = {
            each.key: self.requests.get(each.key, own.get(each.client, 0.0)) for each in there
        }


def client_weights(present: Iterable[Served]) -> dict[str, int]:
    """Each client's weight: that of its weightiest request."""
    weights: dict[str, int] = {}
    for each in present:
        weights[each.client] = max(weights.get(each.client, 0), each.weight)
    return weights
