"""Who is served first: importance, turns between clients, deadlines."""

from __future__ import annotations

from puna.errors import WaitedTooLong
from puna.scheduler.events import Expired
from puna.scheduler.report import waiting_orders
from tests.scheduler.world import World


def full_world() -> World:
    """A world whose one model serves one request at a time, and does."""
    world = World(max_loaded=1)
    world.ask("a", max_sequences=1)
    world.loaded("a")
    return world


def test_the_important_ones_go_first() -> None:
    world = full_world()
    world.ask("a", max_sequences=1, priority="low")
    world.ask("a", max_sequences=1)
    world.ask("a", max_sequences=1, priority="high")
    assert world.released("a", 1) == "admit 4 a1"
    assert world.released("a", 4) == "admit 3 a1"
    assert world.released("a", 3) == "admit 2 a1"


def test_who_waits_long_enough_rises() -> None:
    world = full_world()
    world.ask("a", max_sequences=1, priority="low")
    world.now += 180
    world.ask("a", max_sequences=1, priority="high")
    assert world.released("a", 1) == "admit 2 a1"


def test_clients_take_turns() -> None:
    world = full_world()
    for _ in range(3):
        world.ask("a", max_sequences=1, client="many")
    world.ask("a", max_sequences=1, client="few")
    world.now += 1
    assert world.released("a", 1) == "admit 2 a1"
    world.now += 1
    assert world.released("a", 2) == "admit 5 a1"


def test_the_important_one_decides_which_model_is_loaded_next() -> None:
    world = full_world()
    world.ask("b")
    world.ask("c", priority="high")
    assert world.released("a", 1) == "unload a1"
    assert world.closed("a") == "load c2"


def test_an_order_that_waited_too_long_is_refused() -> None:
    world = full_world()
    world.ask("a", max_sequences=1, deadline=5)
    assert world.state.alarm == 5
    world.now = 5
    assert world.feed(Expired()) == "fail 2 WaitedTooLong"
    assert isinstance(world.last_error, WaitedTooLong)
    assert world.last_error.status == 503
    assert not world.state.waiting


def test_a_deadline_does_not_end_what_has_begun() -> None:
    world = World()
    world.ask("a", deadline=5)
    world.loaded("a")
    world.now = 10
    assert world.feed(Expired()) == ""
    assert world.state.running


def test_what_is_through_runs_no_more() -> None:
    world = World()
    world.ask("a")
    world.loaded("a")
    world.released("a", 1)
    assert not world.state.running


def test_the_queue_says_who_waits_and_why() -> None:
    world = World(max_loaded=1)
    world.ask("a", client="x", priority="low")
    world.now += 2
    world.ask("b")
    first, second = waiting_orders(world.state, world.now)
    assert (first.name, first.position, first.waited) == ("b", 1, 0)
    assert first.reason == "other models have the memory"
    assert (second.name, second.position, second.waited, second.client) == ("a", 2, 2, "x")
    assert second.reason == "the model is being loaded"


def test_a_full_model_is_a_reason() -> None:
    world = full_world()
    world.ask("a", max_sequences=1)
    assert waiting_orders(world.state, world.now)[0].reason == "the model serves 1 requests already"


def test_another_plan_is_a_reason() -> None:
    world = full_world()
    world.ask("a", n_ctx=8192)
    reason = waiting_orders(world.state, world.now)[0].reason
    assert reason == "the model is being loaded again: n_ctx changed"
