"""How long a loaded model is kept from others: for a time, and never from an urgent order."""

from __future__ import annotations

import pytest

from puna.discover.hardware import Free
from puna.runner.protocol import Priority
from puna.scheduler.events import Expired, Measured
from tests.fakes.machines import GIB, machine
from tests.scheduler.test_fit import model
from tests.scheduler.world import World

LOAD = 4.0
"""Seconds of a load here; a model in use is held for six loads, a pause of it for half a load."""


class Held:
    """A world with room for so many models, where loads take time."""

    def __init__(self, room: int, *, by_memory: bool) -> None:
        self.footprint = model(8 * GIB)
        self.free = machine((9 * room + 2) * GIB)
        self.world = World(max_loaded=9 if by_memory else room, measures=by_memory)
        self.asked = 0

    def ask(self, key: str, priority: Priority = "normal") -> str:
        self.asked += 1
        said = self.world.ask(
            key, footprint=self.footprint, priority=priority, n_parallel=1, client=str(self.asked)
        )
        return self.measured(said)

    def measured(self, said: str) -> str:
        """Measure where that is wanted."""
        return self.world.feed(Measured(self._left())) if said.endswith("measure") else said

    def load(self, key: str) -> None:
        assert self.ask(key).startswith("load")
        self.world.now += LOAD
        self.world.loaded(key)

    def ring(self, now: float) -> str:
        self.world.now = now
        return self.world.feed(Expired())

    def leaving(self, key: str) -> bool:
        return self.world.entry(key).leaving

    def _left(self) -> Free:
        used = sum(entry.use.total for entry in self.world.state.entries.values())
        assert self.free.host is not None
        return machine(self.free.host.total, available=self.free.host.total - used)


@pytest.fixture(params=[True, False], ids=["memory", "places"])
def one(request: pytest.FixtureRequest) -> Held:
    return Held(1, by_memory=request.param)


@pytest.fixture(params=[True, False], ids=["memory", "places"])
def two(request: pytest.FixtureRequest) -> Held:
    return Held(2, by_memory=request.param)


def test_a_model_in_use_is_kept_for_a_time_and_takes_more_meanwhile(one: Held) -> None:
    one.load("a")
    one.ask("b")
    assert not one.leaving("a")
    assert one.ask("a") == "admit 3 a1"
    end = LOAD + 6 * LOAD
    assert one.world.state.alarm is not None
    assert one.world.state.alarm <= end, "rings although nothing else happens"
    one.ring(end - 0.1)
    assert not one.leaving("a")
    assert one.world.state.alarm == end
    one.ring(end)
    assert one.leaving("a"), "the other waits no longer than that"
    assert one.ask("a") == ""


def test_a_slow_load_holds_for_a_minute(one: Held) -> None:
    one.ask("a")
    one.world.now = 50
    one.world.loaded("a")
    one.ask("b")
    one.ring(109)
    assert not one.leaving("a")
    one.ring(110)
    assert one.leaving("a")


def test_an_urgent_order_breaks_the_hold(one: Held) -> None:
    one.load("a")
    one.ask("b")
    one.ask("c", "high")
    assert one.leaving("a")
    assert one.world.released("a", 1) == "unload a1"
    assert one.measured(one.world.closed("a")).startswith("load c"), "and is next"


def test_an_urgent_order_sends_one_runner_away_and_that_with_least_to_finish(two: Held) -> None:
    for key in ("a", "b"):
        two.load(key)
    two.world.now += 1
    two.ask("a")
    two.ask("c", "high")
    assert (two.leaving("a"), two.leaving("b")) == (False, True)
    two.ask("b")
    two.ask("a")
    assert not two.leaving("a"), "that b is wanted again is no reason"


def test_what_is_used_again_and_again_is_kept_while_it_pauses(one: Held) -> None:
    one.load("a")
    one.ask("a")
    for number in (1, 2):
        one.world.released("a", number)
    assert one.ask("b") == ""
    assert one.ring(LOAD + 0.5 * LOAD) == "unload a1"


def test_what_was_used_once_goes_at_once(one: Held) -> None:
    one.load("a")
    one.world.released("a", 1)
    assert one.ask("b") == "unload a1"


def test_the_last_that_serves_stays_while_another_is_loaded(two: Held) -> None:
    two.load("a")
    two.world.released("a", 1)
    two.ask("b")
    two.world.now += 20
    assert two.ask("c") == ""
    assert two.ask("d") == ""
    two.measured(two.world.loaded("b"))
    assert two.leaving("a"), "now the other serves"


def test_waiting_makes_nobody_urgent(one: Held) -> None:
    """Else a hold would end whenever it is full of use."""
    one.load("a")
    one.ask("b", "low")
    one.world.now = LOAD + 6 * LOAD - 1
    one.ask("a")
    assert not one.leaving("a")
