"""Who is admitted next, and who goes when cells run short: clients share, nobody starves. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from puna.runner.protocol import Priority

__all__ = ["Turns", "victim", "weight"]

_RANKS: dict[Priority, int] = {"high": 0, "normal": 1, "low": 2}
_WEIGHTS: dict[Priority, int] = {"high": 4, "normal": 2, "low": 1}
RISE_NS = 10_000_000_000
"""In a runner, who has waited this long counts as one rank higher; twice as long, two."""


class Ranked(Protocol):
    """What is known of a generation here. `arrived_ns` is when `client` asked for it."""

    @property
    def client(self) -> str: ...

    @property
    def priority(self) -> Priority: ...

    @property
    def arrived_ns(self) -> int: ...


class Placed(Ranked, Protocol):
    """What is known besides of one that has cells: how often others took them."""

    @property
    def n_preempted(self) -> int: ...


R = TypeVar("R", bound=Ranked)
P = TypeVar("P", bound=Placed)


class Turns:
    """Who was served when: how long a client has waited counts from there. In `rise_ns` who waits
    rises by one rank.
    """

    def __init__(self, rise_ns: int = RISE_NS) -> None:
        self._rise_ns = rise_ns
        self._served: dict[str, int] = {}

    def serve(self, client: str, now_ns: int) -> None:
        """Note that one of a client's generations was admitted."""
        self._served[client] = now_ns

    def order(self, waiting: Iterable[R], running: Iterable[R], now_ns: int) -> Iterator[R]:
        """Those who wait, the next first, as if each were admitted in its turn.

        First the client that has least running for its weight, then its generation of the highest
        rank, and of equals the one that has waited longest. Who waits rises, so that nobody
        starves: a generation against others of its client, a client that gets nothing against
        other clients.
        """
        queues: dict[str, deque[R]] = {}
        for each in sorted(waiting, key=lambda each: self._turn(each, now_ns)):
            queues.setdefault(each.client, deque()).append(each)
        loads = Counter(each.client for each in running)
        served = self._served = {key: self._served[key] for key in queues if key in self._served}
        since = {
            key: max(served.get(key, 0), min(each.arrived_ns for each in queue))
            for key, queue in queues.items()
        }

        def standing(client: str) -> tuple[float, int, int]:
            head = queues[client][0]
            rises = max(0, now_ns - since[client]) // self._rise_ns
            load = loads[client] / weight(head.priority)
            return max(0.0, load - rises), _RANKS[head.priority] - rises, since[client]

        while queues:
            client = min(queues, key=standing)
            yield queues[client].popleft()
            if not queues[client]:
                del queues[client]
            loads[client] += 1
            since[client] = now_ns

    def _turn(self, each: Ranked, now_ns: int) -> tuple[int, int]:
        waited = max(0, now_ns - each.arrived_ns)
        return _RANKS[each.priority] - waited // self._rise_ns, each.arrived_ns


def victim(running: Sequence[P]) -> P:
    """Who gives up its cells: the last to come, of those whose client has most, of the least
    important. Each time that it had to, somebody counts as one rank higher: else those who keep
    coming would take the cells of one that matters less again and again.
    """
    loads = Counter(each.client for each in running)

    def standing(each: P) -> tuple[int, int, int]:
        return _RANKS[each.priority] - each.n_preempted, loads[each.client], each.arrived_ns

    return max(running, key=standing)


def weight(priority: Priority) -> int:
    """How large a share of the prompt tokens in a decode one may take, against others."""
    return _WEIGHTS[priority]
