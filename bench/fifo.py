"""The reference's rule (serving spec, 2.2 to 2.7), to compare with: first come, first served; where
there is no place, the least recently used model goes, an idle one if there is one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from puna.scheduler.events import (
    Action,
    Admit,
    Asked,
    Closed,
    Event,
    Load,
    Loaded,
    Released,
    Unload,
)
from puna.scheduler.room import PLACE
from puna.scheduler.state import Order, RunnerId

__all__ = ["Fifo"]


@dataclass
class _Runner:
    id: RunnerId
    used_at: float
    is_ready: bool = False
    is_closing: bool = False
    running: set[int] = field(default_factory=set)
    queue: deque[Order] = field(default_factory=deque)

    @property
    def serves(self) -> bool:
        return self.is_ready and not self.is_closing

    @property
    def is_idle(self) -> bool:
        return self.serves and not self.running and not self.queue


class Fifo:
    """At most `places` models, each of which answers `slots` requests at once.

    One queue for all that find their model not loaded; only its head is looked at. The model that
    is to go finishes what it has. With `passes` it takes whatever else comes for it meanwhile, as
    the reference's does; the head then waits until it is idle by chance.
    """

    def __init__(self, places: int, slots: int, *, passes: bool = False) -> None:
        self._places, self._slots, self._passes = places, slots, passes
        self._runners: dict[str, _Runner] = {}
        self._queue: deque[Order] = deque()
        self._victim: _Runner | None = None
        self._serial = 0

    def feed(self, event: Event, now: float) -> list[Action]:
        """What is to be done about an event, at this second."""
        self._note(event, now)
        return [*self._look_at_heads(now), *self._admit(now), *self._close()]

    def _note(self, event: Event, now: float) -> None:
        match event:
            case Asked(order):
                runner = self._runners.get(order.need.key)
                if (
                    runner is not None
                    and runner.serves
                    and (self._passes or not self._goes(runner))
                ):
                    runner.queue.append(order)
                else:
                    self._queue.append(order)
            case Loaded(id):
                self._runners[id.key].is_ready = True
                self._runners[id.key].used_at = now
            case Released(id, number):
                self._runners[id.key].running.remove(number)
                self._runners[id.key].used_at = now
            case Closed(id):
                del self._runners[id.key]
                self._victim = None

    def _goes(self, runner: _Runner) -> bool:
        return self._victim is runner

    def _look_at_heads(self, now: float) -> Iterator[Action]:
        while self._queue:
            key = self._queue[0].need.key
            runner = self._runners.get(key)
            if runner is None:
                if len(self._runners) < self._places:
                    self._serial += 1
                    runner = self._runners[key] = _Runner(RunnerId(key, self._serial), now)
                    yield Load(runner.id, self._queue[0].need.plan)
                elif self._victim is None:
                    ready = [each for each in self._runners.values() if each.serves]
                    ready.sort(key=lambda each: (not each.is_idle, each.used_at))
                    self._victim = next(iter(ready), None)
                return
            if not runner.serves or self._goes(runner):
                return
            runner.queue.append(self._queue.popleft())

    def _admit(self, now: float) -> Iterator[Action]:
        for runner in self._runners.values():
            while runner.serves and runner.queue and len(runner.running) < self._slots:
                order = runner.queue.popleft()
                runner.running.add(order.number)
                runner.used_at = now
                yield Admit(order, runner.id)

    def _close(self) -> Iterator[Action]:
        if self._victim is not None and self._victim.is_idle:
            self._victim.is_closing = True
            yield Unload(self._victim.id, PLACE)
