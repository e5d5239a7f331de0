"""The scheduler's rules one by one (serving spec, sections 2 and 9)."""

from __future__ import annotations

import pytest

from puna.errors import Busy, Cancelled, OutOfMemory, PunaError, StartFailed
from puna.runner.protocol import LoadPlan
from puna.scheduler.decide import decide
from puna.scheduler.events import (
    Asked,
    Closed,
    Died,
    Expired,
    Fail,
    GaveUp,
    Loaded,
    LoadFailed,
    Released,
    Ring,
    ShutDown,
    UnloadAsked,
)
from puna.scheduler.state import Need, Order
from tests.scheduler.world import World

FOREVER = float("inf")


def test_a_model_is_loaded_once_and_reused() -> None:
    world = World()
    assert world.ask("a") == "load a1"
    assert world.ask("a") == ""
    assert world.loaded("a") == "admit 1 a1 admit 2 a1"
    assert world.ask("a") == "admit 3 a1"
    assert world.entry("a").leases == {1, 2, 3}
    assert not world.state.waiting


def test_a_failed_load_fails_those_who_wait_for_it_and_leaves_nothing() -> None:
    world = World()
    world.ask("a")
    world.ask("a")
    world.ask("b")
    assert world.failed("a", StartFailed("x")) == "fail 1 StartFailed fail 2 StartFailed"
    assert set(world.state.entries) == {"b"}
    assert world.ask("a") == "load a3"


def test_a_failed_load_spares_an_order_for_another_plan() -> None:
    world = World()
    world.ask("a", n_ctx=10)
    world.ask("a", n_ctx=20)
    assert world.failed("a", StartFailed("x")) == "fail 1 StartFailed load a2"
    assert world.loaded("a") == "admit 2 a2"


@pytest.mark.parametrize("change", [{"n_ctx": 8192}, {"adapters": ("x",)}], ids=["n_ctx", "lora"])
def test_a_reload_waits_for_the_old_runner_to_finish(change: dict[str, object]) -> None:
    world = World()
    world.ask("a")
    world.loaded("a")
    plan = LoadPlan(model="a", **change)  # type: ignore[arg-type]
    assert world.feed(Asked(Order(2, Need("a", plan, "a")))) == ""
    assert world.ask("a") == "", "a request that fits the old runner must not keep it alive"
    assert world.released("a", 1) == "unload a1"
    assert world.entry("a").reason in {"n_ctx changed", "adapters changed"}
    assert world.closed("a") == "load a2"
    assert world.entry("a").plan == plan


def test_after_a_reload_the_larger_context_serves_everyone() -> None:
    world = World()
    world.use("a")
    assert world.ask("a", n_ctx=8192) == "unload a1"
    assert world.ask("a", n_ctx=100) == ""
    assert world.closed("a") == "load a2"
    assert world.loaded("a") == "admit 2 a2 admit 3 a2"


def test_models_do_not_wait_for_one_another() -> None:
    world = World(max_loaded=2)
    world.ask("a")
    assert world.ask("b") == "load b2", "while a is still loading"
    world.loaded("b")
    world.now = 1
    world.loaded("a")
    assert world.ask("c") == "", "waits for b, used before a"
    assert world.ask("a") == "admit 4 a1", "c waits for a place, a is loaded"


def test_the_queue_is_bounded_and_a_loaded_model_passes_it() -> None:
    world = World(max_queue=1)
    world.use("b")
    assert world.ask("a") == "load a2"
    assert world.ask("a") == "fail 3 Busy"
    assert world.ask("b") == "admit 4 b1"
    assert world.ask("c") == "fail 5 Busy"


def test_the_refusal_is_busy_in_the_words_clients_know() -> None:
    world = World(max_queue=0)
    need = Need("a", LoadPlan(model="a"), "a")
    [refusal] = decide(world.state, Asked(Order(1, need)), 0.0)
    assert isinstance(refusal, Fail)
    assert isinstance(refusal.error, Busy)


def test_orders_beyond_the_sequences_of_a_runner_wait_in_the_queue() -> None:
    world = World(max_queue=1)
    world.ask("a", max_sequences=1)
    world.loaded("a")
    assert world.ask("a") == ""
    assert world.ask("a") == "fail 3 Busy"
    assert world.released("a", 1) == "admit 2 a1"


def test_an_order_whose_client_left_is_forgotten() -> None:
    world = World()
    world.ask("a")
    world.ask("a")
    assert world.feed(GaveUp(1)) == ""
    assert world.loaded("a") == "admit 2 a1"
    assert world.feed(GaveUp(2)) == "", "left in the moment of its admission: the lease ends"
    assert world.entry("a").idle


def test_a_load_goes_on_without_the_one_who_asked() -> None:
    world = World()
    world.ask("a")
    world.feed(GaveUp(1))
    assert world.loaded("a") == ""
    world.now = 299
    assert world.feed(Expired()) == ""
    world.now = 300
    assert world.feed(Expired()) == "unload a1"


def test_a_load_goes_on_for_the_others_when_its_first_client_leaves() -> None:
    world = World()
    world.ask("a")
    world.ask("a")
    world.ask("a")
    assert world.feed(GaveUp(1)) == ""
    assert world.loaded("a") == "admit 2 a1 admit 3 a1"


VICTIMS: dict[str, tuple[list[tuple[str, float | None]], set[str], str]] = {
    "least recently used": ([("a", None), ("b", None)], set(), "a"),
    "used again": ([("a", None), ("b", None), ("a", None)], set(), "b"),
    "idle before busy": ([("a", 100.0), ("b", 200.0)], {"a"}, "b"),
    "kept forever goes last": ([("a", FOREVER), ("b", None)], set(), "b"),
    "idle forever before busy": ([("a", None), ("b", FOREVER)], {"a"}, "b"),
    "all busy": ([("a", None), ("b", None)], {"a", "b"}, "a"),
    "all busy, one forever": ([("a", FOREVER), ("b", None)], {"a", "b"}, "b"),
}


@pytest.mark.parametrize(("used", "busy", "victim"), VICTIMS.values(), ids=VICTIMS)
def test_who_must_go(used: list[tuple[str, float | None]], busy: set[str], victim: str) -> None:
    world = World(max_loaded=2)
    for key, keep_alive in used:
        world.use(key, keep_alive)
        world.now += 0.1
    for key in sorted(busy):
        world.ask(key)
    actions = world.ask("new")
    leaving = {key for key, entry in world.state.entries.items() if entry.leaving}
    assert leaving == {victim}
    assert actions.startswith("unload") == (victim not in busy)


def test_a_victim_is_never_revived() -> None:
    world = World(max_loaded=1)
    world.ask("a")
    world.loaded("a")
    world.ask("b")
    assert world.ask("a", keep_alive=FOREVER) == ""
    assert world.released("a", 1) == "unload a1"
    assert world.closed("a") == "load b2", "b asked first"
    assert world.loaded("b") == "admit 2 b2"
    assert world.released("b", 2) == "unload b2"
    assert world.closed("b") == "load a3"
    assert world.loaded("a") == "admit 3 a3"


def test_an_idle_runner_goes_although_a_busy_one_is_already_leaving() -> None:
    world = World(max_loaded=2)
    world.use("idle")
    world.ask("busy")
    world.loaded("busy")
    world.feed(UnloadAsked("busy"))
    assert world.ask("new") == "unload idle1"


def test_only_as_many_victims_as_needed() -> None:
    world = World(max_loaded=2)
    world.use("a")
    world.use("b")
    assert world.ask("c") == "unload a1"
    assert world.ask("c") == ""
    assert world.closed("a") == "load c3"
    assert not world.entry("b").leaving


KEEP_ALIVES: dict[str, tuple[list[float | None], float]] = {
    "the server's": ([None], 300.0),
    "its own": ([1.0], 1.0),
    "replaced by a later request": ([1.0, 2.0], 2.0),
    "left by a request that has none": ([3600.0, None], 3600.0),
    "forever": ([FOREVER], FOREVER),
    "forever, then limited": ([FOREVER, 5.0], 5.0),
}


@pytest.mark.parametrize(("asked", "kept"), KEEP_ALIVES.values(), ids=KEEP_ALIVES)
def test_keep_alive(asked: list[float | None], kept: float) -> None:
    world = World()
    for keep_alive in asked:
        world.use("a", keep_alive)
    assert world.entry("a").keep_alive == kept
    end = min(world.now + kept, 1e9)
    world.now = end - 0.5
    assert world.feed(Expired()) == ""
    world.now = end
    assert world.feed(Expired()) == ("unload a1" if kept < FOREVER else "")


def test_keep_alive_zero_unloads_when_the_last_request_ends() -> None:
    world = World()
    world.ask("a", keep_alive=0.0)
    world.ask("a")
    world.loaded("a")
    assert world.released("a", 1) == ""
    assert world.released("a", 2) == "unload a1"
    assert world.closed("a") == ""
    assert not world.state.entries


def test_time_passes_from_the_end_of_the_last_request() -> None:
    world = World()
    world.use("a", 10.0)
    world.now += 9
    world.ask("a")
    world.now += 100
    assert world.feed(Expired()) == "", "busy"
    world.released("a", 2)
    world.now += 9
    assert world.feed(Expired()) == ""
    world.now += 1
    assert world.feed(Expired()) == "unload a1"


def test_the_alarm_is_set_for_the_first_end_and_not_moved_by_every_request() -> None:
    world = World(load=60)
    need = Need("a", LoadPlan(model="a"), "a", keep_alive=50.0)
    first = decide(world.state, Asked(Order(1, need)), 0.0)
    assert first[-1] == Ring(60.0), "the load's time"
    runner = world.runner("a")
    assert not [a for a in decide(world.state, Loaded(runner), 5.0) if isinstance(a, Ring)]
    assert decide(world.state, Released(runner, 1), 6.0) == [Ring(56.0)]
    assert len(decide(world.state, Asked(Order(2, need)), 7.0)) == 1
    assert decide(world.state, Released(runner, 2), 8.0) == [], "rings at 56, sees that it is 58"
    assert decide(world.state, Expired(), 56.0) == [Ring(58.0)]


def test_unload_of_an_idle_model_is_at_once_and_of_an_unknown_one_nothing() -> None:
    world = World()
    world.use("a", FOREVER)
    assert world.feed(UnloadAsked("zzz")) == ""
    assert world.feed(UnloadAsked("a")) == "unload a1"
    assert world.feed(UnloadAsked("a")) == "", "twice is once"


def test_unload_of_a_busy_model_waits_and_later_orders_get_a_fresh_one() -> None:
    world = World()
    world.ask("a")
    world.loaded("a")
    assert world.feed(UnloadAsked("a")) == ""
    assert world.ask("a") == ""
    assert world.released("a", 1) == "unload a1"
    assert world.closed("a") == "load a2"


def test_unload_serves_those_who_queued_before_it() -> None:
    world = World()
    world.ask("a", max_sequences=1)
    world.ask("a", max_sequences=1)
    world.feed(UnloadAsked("a"))
    world.ask("a")
    assert world.loaded("a") == "admit 1 a1"
    assert world.released("a", 1) == "admit 2 a1"
    assert world.released("a", 2) == "unload a1"
    assert world.closed("a") == "load a2"


def test_orders_of_one_model_keep_their_order_even_when_it_is_to_go() -> None:
    world = World()
    world.ask("a", n_ctx=10)
    world.ask("a", n_ctx=20)
    world.ask("a", n_ctx=10)
    world.feed(UnloadAsked("a"))
    assert world.loaded("a") == "admit 1 a1"
    assert world.released("a", 1) == "unload a1"
    assert world.closed("a") == "load a2"
    assert world.loaded("a") == "admit 2 a2 admit 3 a2"


def test_unload_ends_a_load_that_nobody_waits_for() -> None:
    world = World()
    world.ask("a")
    world.feed(GaveUp(1))
    assert world.feed(UnloadAsked("a")) == "unload a1"
    runner = world.runner("a")
    assert world.feed(Loaded(runner)) == "", "too late"
    assert world.closed("a") == ""
    assert world.feed(Closed(runner)) == ""


def test_late_news_of_a_runner_that_is_gone_is_harmless() -> None:
    world = World()
    world.use("a", 0.0)
    old = world.runner("a")
    world.closed("a")
    world.use("a")
    new = world.runner("a")
    for event in (Released(old, 1), Died(old), Closed(old), Loaded(old), GaveUp(1)):
        assert world.feed(event) == ""
    assert world.feed(LoadFailed(old, StartFailed("x"))) == ""
    assert world.runner("a") == new != old


def test_a_dead_runner_is_replaced_for_those_who_come_after() -> None:
    world = World()
    world.ask("a")
    world.loaded("a")
    assert world.feed(Died(world.runner("a"))) == "unload a1"
    assert world.ask("a") == ""
    assert world.released("a", 1) == ""
    assert world.closed("a") == "load a2"
    assert world.loaded("a") == "admit 2 a2"


def test_a_load_out_of_memory_sends_the_idle_away_and_is_tried_once_more() -> None:
    world = World(max_loaded=4)
    world.use("idle")
    world.use("pinned", FOREVER)
    world.ask("busy")
    world.loaded("busy")
    world.ask("big")
    assert world.failed("big", OutOfMemory("no")) == "unload idle1 unload pinned2"
    assert world.closed("idle") == ""
    assert world.closed("pinned") == "load big4"
    assert world.failed("big", OutOfMemory("no")) == "fail 4 OutOfMemory"
    assert set(world.state.entries) == {"busy"}


NO_RETRY: dict[str, PunaError] = {"no memory": OutOfMemory("no"), "broken": StartFailed("no")}


@pytest.mark.parametrize("error", NO_RETRY.values(), ids=NO_RETRY)
def test_nothing_is_tried_again_when_nobody_else_is_loaded(error: PunaError) -> None:
    world = World()
    world.ask("a")
    assert world.failed("a", error) == f"fail 1 {type(error).__name__}"


def test_a_failure_of_another_kind_sends_nobody_away() -> None:
    world = World()
    world.use("idle")
    world.ask("a")
    assert world.failed("a", StartFailed("no")) == "fail 2 StartFailed"
    assert not world.entry("idle").leaving


def test_a_load_that_never_ends_is_given_up() -> None:
    world = World(load=60)
    world.ask("a")
    world.now = 59
    assert world.feed(Expired()) == ""
    world.now = 60
    assert world.feed(Expired()) == "fail 1 StartFailed unload a1"
    assert world.ask("a") == ""
    assert world.closed("a") == "load a2"


def test_shut_down_fails_who_waits_and_closes_each_runner_once() -> None:
    world = World(max_loaded=3)
    world.use("idle")
    world.ask("busy")
    world.loaded("busy")
    world.ask("loading")
    assert world.feed(ShutDown()) == "fail 3 Cancelled unload idle1 unload busy2 unload loading3"
    assert world.feed(ShutDown()) == ""
    assert world.released("busy", 2) == ""
    need = Need("a", LoadPlan(model="a"), "a")
    [refusal] = decide(world.state, Asked(Order(9, need)), 0.0)
    assert isinstance(refusal, Fail)
    assert isinstance(refusal.error, Cancelled)
