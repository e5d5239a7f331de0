"""The scheduler's rules about memory (serving spec, 2.3, 2.7, 2.9, 10.3)."""

from __future__ import annotations

import pytest

from puna.discover.hardware import Free
from puna.errors import OutOfMemory
from puna.scheduler.events import Loaded, Measured
from tests.fakes.machines import GIB, a_card, machine
from tests.scheduler.test_fit import model
from tests.scheduler.world import World


def world_of(free: Free, max_loaded: int = 9) -> World:
    """A world that measures, and finds this memory."""
    world = World(max_loaded=max_loaded, measures=True)
    world.free = free
    return world


def load(world: World, key: str, weights: int = 4 * GIB) -> str:
    """Ask for a model and let it load, as far as that goes."""
    world.now += 1
    said = world.ask(key, footprint=model(weights))
    if said == "measure":
        said = world.feed(Measured(world.free))
    return said


def ready(world: World, key: str) -> None:
    world.loaded(key)
    world.released(key, world.state.last_order)


def test_memory_is_measured_before_a_load_and_once() -> None:
    world = world_of(machine(64 * GIB))
    assert world.ask("a", footprint=model()) == "measure"
    assert world.ask("b", footprint=model()) == ""
    assert world.feed(Measured(world.free)) == "load a1 load b2"


def test_a_loaded_model_is_used_without_measuring() -> None:
    world = world_of(machine(64 * GIB))
    load(world, "a")
    ready(world, "a")
    assert world.ask("a", footprint=model()).startswith("admit")


def test_what_does_not_fit_even_alone_is_refused_and_nobody_is_evicted() -> None:
    world = world_of(machine(8 * GIB))
    load(world, "a", 2 * GIB)
    ready(world, "a")
    assert load(world, "huge", 70 * GIB) == "fail 2 OutOfMemory"
    assert "a" in world.state.entries
    assert "GiB) than is available (" in str(world.last_error)


def test_idle_models_go_until_there_is_room() -> None:
    world = world_of(machine(16 * GIB))
    for key in ("a", "b"):
        assert load(world, key).startswith("load")
        ready(world, key)
    assert load(world, "c", 5 * GIB) == "unload a1"
    assert world.closed("a") == "measure"
    assert world.feed(Measured(world.free)) == "load c3"
    assert set(world.state.entries) == {"b", "c"}


def test_no_more_go_than_are_needed() -> None:
    world = world_of(machine(18 * GIB))
    for key, weights in (("small", 1 * GIB), ("large", 9 * GIB)):
        load(world, key, weights)
        ready(world, key)
    assert load(world, "c", 8 * GIB) == "unload large2"


def test_a_busy_model_finishes_before_it_goes() -> None:
    world = world_of(machine(12 * GIB))
    load(world, "a", 6 * GIB)
    world.loaded("a")
    assert load(world, "b", 6 * GIB) == ""
    assert world.ask("a", footprint=model(6 * GIB)) == "", "else b would wait for ever"
    assert world.released("a", 1) == "unload a1"


def test_a_model_that_takes_long_to_load_is_kept_longer() -> None:
    world = world_of(machine(20 * GIB))
    for key, seconds in (("slow", 60), ("quick", 1)):
        load(world, key, 6 * GIB)
        world.now += seconds
        ready(world, key)
    world.now += 30
    assert load(world, "c", 6 * GIB) == "unload quick2"


def test_what_a_runner_reports_takes_the_place_of_the_estimate() -> None:
    world = world_of(machine(64 * GIB))
    load(world, "a")
    planned = world.entry("a").use
    at_once = planned.total - planned.later
    world.feed(Loaded(world.runner("a"), size=at_once * 3 // 2, size_vram=0))
    found = world.entry("a").use
    assert found.host == at_once * 3 // 2 + found.later
    assert found.later == pytest.approx(planned.later * 1.5, abs=2), "it is still to come"
    assert planned.later
    assert world.state.scales["a"] == pytest.approx(1.5)


def test_a_load_that_runs_out_of_memory_is_tried_again_with_less() -> None:
    world = world_of(machine(64 * GIB))
    load(world, "a")
    before = world.entry("a").plan
    assert before.n_parallel == 4
    assert world.failed("a", OutOfMemory("x")) == "load a1"
    assert world.entry("a").plan.n_parallel == 1
    assert world.failed("a", OutOfMemory("x")) == "fail 1 OutOfMemory"
    assert not world.state.entries


CARDS: dict[str, Free] = {
    "a smaller pool": machine(64 * GIB),
    "fewer layers": machine(64 * GIB, a_card(0, 8 * GIB)),
}


@pytest.mark.parametrize("free", CARDS.values(), ids=CARDS)
def test_what_was_loaded_with_less_does_not_speak_against_the_estimate(free: Free) -> None:
    """Else the model's next load would be taken for so much smaller."""
    world = world_of(free)
    load(world, "a")
    planned = world.entry("a").use
    world.failed("a", OutOfMemory("x"))
    less = world.entry("a").use
    assert less.host + sum(less.cards.values()) != planned.host + sum(planned.cards.values())
    at_once = less.total - less.later
    world.feed(Loaded(world.runner("a"), size=at_once, size_vram=sum(less.cards.values())))
    assert world.state.scales["a"] == 1.0
    assert world.entry("a").use == less


def test_a_load_on_cards_is_tried_again_with_fewer_layers() -> None:
    world = world_of(machine(64 * GIB, a_card(0, 8 * GIB)))
    world.ask("a", footprint=model(), n_ctx=4096, n_parallel=1)
    world.feed(Measured(world.free))
    before = world.entry("a").plan.n_gpu_layers
    assert world.failed("a", OutOfMemory("x")) == "load a1"
    assert 0 < world.entry("a").plan.n_gpu_layers < before


def test_a_later_load_does_not_go_by_an_old_measurement() -> None:
    world = world_of(machine(64 * GIB))
    load(world, "a")
    ready(world, "a")
    assert world.ask("b", footprint=model()) == "measure", "others use memory, too"


def test_a_refusal_is_not_repeated_by_an_old_measurement() -> None:
    world = world_of(machine(8 * GIB))
    assert load(world, "huge", 70 * GIB) == "fail 1 OutOfMemory"
    world.free = machine(128 * GIB)
    assert load(world, "huge", 70 * GIB) == "load huge1"


def test_a_context_is_not_made_smaller_for_an_idle_model() -> None:
    """Else how much of a prompt is read would depend on who was there before."""
    world = world_of(machine(256 * GIB, a_card(0, 24 * GIB)))
    for key in ("a", "b"):
        world.now += 1
        said = world.ask(key, footprint=model(8 * GIB), n_ctx_auto=True, n_parallel=1)
        if key == "a":
            assert (said, world.feed(Measured(world.free))) == ("measure", "load a1")
            assert world.entry("a").plan.n_ctx == 32_768
            ready(world, "a")
            world.free = machine(256 * GIB, a_card(0, 24 * GIB, 11 * GIB))
    assert said == "measure"
    assert world.feed(Measured(world.free)) == "unload a1"


AUTOMATIC: dict[str, tuple[int, int]] = {"no card": (0, 3), "one": (1, 3), "four": (4, 12)}


@pytest.mark.parametrize(("cards", "most"), AUTOMATIC.values(), ids=AUTOMATIC)
def test_how_many_models_unless_a_setting_says(cards: int, most: int) -> None:
    free = machine(640 * GIB, *(a_card(index, 80 * GIB) for index in range(cards)))
    world = world_of(free, max_loaded=0)
    for number in range(most):
        assert load(world, f"m{number}").startswith("load")
        ready(world, f"m{number}")
    assert load(world, "one more") == "unload m01"
