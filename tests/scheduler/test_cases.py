"""Cases of the serving spec, section 9, by their numbers: those that no other test has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_plan

from puna.discover.hardware import Card, Free, SystemMemory
from puna.errors import OutOfMemory
from puna.runner.protocol import LoadPlan
from puna.scheduler.events import Measured
from puna.scheduler.fit import Loads, Rules, Use, fit
from puna.scheduler.memory import estimate
from puna.scheduler.placement import Wish, place
from puna.scheduler.plans import mismatch
from tests.fakes.machines import GIB, MIB, a_card, machine
from tests.scheduler.test_fit import AUTO, model
from tests.scheduler.test_placement import card
from tests.scheduler.test_placement import model as layers
from tests.scheduler.world import World


def ask(world: World, key: str, weights: int, n_gpu_layers: int = -1) -> str:
    """Ask for a model and measure where that is wanted."""
    world.now += 1
    said = world.ask(key, footprint=model(weights), n_parallel=1, n_gpu_layers=n_gpu_layers)
    return world.feed(Measured(world.free)) if said == "measure" else said


def use(world: World, key: str, weights: int, n_gpu_layers: int = -1) -> None:
    assert ask(world, key, weights, n_gpu_layers).startswith("load")
    world.loaded(key)
    world.released(key, world.state.last_order)


def test_a_fourth_model_evicts_until_it_fits_and_spares_the_processors() -> None:
    """6"""
    world = World(max_loaded=9, measures=True)
    world.free = machine(64 * GIB, a_card(0, 24 * GIB))
    use(world, "cpu", 6 * GIB, n_gpu_layers=0)
    use(world, "a", 8 * GIB)
    use(world, "b", 8 * GIB)
    assert not world.entry("cpu").plan.cards
    world.free = machine(64 * GIB, a_card(0, 24 * GIB, 5 * GIB))
    said = ask(world, "d", 20 * GIB)
    assert set(said.split()) - {"unload"} == {"a2", "b3"}
    assert not world.entry("cpu").leaving


ROOM = {"the system says less": (1000, 900, 825), "and of a larger machine": (2000, 1900, 1875)}


@pytest.mark.parametrize(("total", "free", "left"), ROOM.values(), ids=ROOM)
def test_what_is_loaded_is_not_free_whatever_the_system_says(
    total: int, free: int, left: int
) -> None:
    """13"""
    used = total - left
    uses = (Use(host=50 * MIB), Use(host=(used - 50) * MIB))
    plan = replace_plan(AUTO, n_parallel=1, n_ctx=64, use_mmap=False)
    footprint = model(400 * MIB, layers=4, width=8)
    need = estimate(footprint, plan)
    spare = left * MIB - need.on_host - need.later  # the model is made to take the rest
    footprint = replace(footprint, other=footprint.other + spare)
    memory = Free(SystemMemory(total * MIB, free * MIB))
    assert fit(footprint, plan, memory, Loads(uses), Rules()) is not None
    larger = replace(footprint, other=footprint.other + 1)
    assert fit(larger, plan, memory, Loads(uses), Rules()) is None


LOADED = LoadPlan(model="m", n_ctx=131_072, n_ctx_auto=True, n_batch=1024)
RELOADS: dict[str, tuple[LoadPlan, LoadPlan, bool]] = {
    "16 a larger context that nobody asked for": (
        LOADED,
        replace_plan(LOADED, n_ctx=262_144),
        False,
    ),
    "16 a larger context that somebody asked for": (
        LOADED,
        replace_plan(LOADED, n_ctx=262_144, n_ctx_auto=False),
        True,
    ),
    "17 as trained, and more is asked for than that": (
        replace_plan(LOADED, n_ctx=2048),
        replace_plan(LOADED, n_ctx=2048, n_ctx_auto=False),  # prepare.py cuts the wish
        False,
    ),
    "17 a smaller context is served by what is loaded": (
        replace_plan(LOADED, n_ctx=2048),
        replace_plan(LOADED, n_ctx=1024, n_ctx_auto=False),
        False,
    ),
    "18 a batch that nobody asked for": (LOADED, replace_plan(LOADED, n_batch=0), False),
    "18 another batch": (LOADED, replace_plan(LOADED, n_batch=512), True),
    "19 no word about mmap": (replace_plan(LOADED, use_mmap=False), LOADED, False),
    "19 mmap on, and it is off": (
        replace_plan(LOADED, use_mmap=False),
        replace_plan(LOADED, use_mmap=True),
        True,
    ),
    "19 mmap off, and it is": (
        replace_plan(LOADED, use_mmap=False),
        replace_plan(LOADED, use_mmap=False),
        False,
    ),
}


@pytest.mark.parametrize(("loaded", "wanted", "reloads"), RELOADS.values(), ids=RELOADS)
def test_what_reloads(loaded: LoadPlan, wanted: LoadPlan, reloads: bool) -> None:
    assert bool(mismatch(loaded, wanted)) == reloads


BESIDE = {"it fits beside": (3 * GIB, False), "it does not": (9 * GIB, True)}


@pytest.mark.parametrize(("weights", "evicts"), BESIDE.values(), ids=BESIDE)
def test_room_is_made_before_a_runner_starts(weights: int, evicts: bool) -> None:
    """24, 26: by what is measured and the whole pool, not by a share of what is free."""
    world = World(max_loaded=9, measures=True)
    world.free = machine(64 * GIB, a_card(0, 16 * GIB))
    use(world, "a", 8 * GIB)
    world.free = machine(64 * GIB, a_card(0, 16 * GIB, 7 * GIB))
    assert (ask(world, "b", weights) == "unload a1") == evicts


def test_layers_that_were_asked_for_evict_nobody() -> None:
    """25"""
    world = World(max_loaded=9, measures=True)
    world.free = machine(64 * GIB, a_card(0, 16 * GIB))
    use(world, "a", 8 * GIB)
    world.free = machine(64 * GIB, a_card(0, 16 * GIB, 7 * GIB))
    assert ask(world, "b", 9 * GIB, n_gpu_layers=5) == "load b2"


SHARED = {
    "an integrated card": ((a_card(0, 16 * GIB, integrated=True),), False),
    "a card of its own": ((a_card(0, 16 * GIB),), True),
    "both": ((a_card(0, 16 * GIB), a_card(1, 16 * GIB, integrated=True)), True),
}


@pytest.mark.parametrize(("cards", "is_whole"), SHARED.values(), ids=SHARED)
def test_only_an_integrated_card_has_the_machines_memory(
    cards: tuple[Card, ...], is_whole: bool
) -> None:
    """27"""
    memory = machine(64 * GIB, *cards, available=3 * GIB)
    found = fit(model(6 * GIB), replace_plan(AUTO, n_parallel=1), memory, Loads(), Rules())
    assert (found is not None and found.n_layers == 33) == is_whole


def test_an_explicit_context_is_never_made_smaller() -> None:
    """30, 31: without memory for it the load is tried with one context, then fails."""
    world = World(measures=True)
    world.free = machine(64 * GIB)
    world.ask("a", n_ctx=262_144, footprint=model(GIB, width=8))
    assert world.feed(Measured(world.free)) == "load a1"
    assert world.failed("a", OutOfMemory("no")) == "load a1"
    assert (world.entry("a").plan.n_ctx, world.entry("a").plan.n_parallel) == (262_144, 1)
    assert world.failed("a", OutOfMemory("no")) == "fail 1 OutOfMemory"


def test_an_automatic_context_is_made_smaller_without_evicting() -> None:
    """30, 31"""
    world = World(measures=True)
    world.free = machine(256 * GIB, a_card(0, 80 * GIB))
    world.ask("a", n_ctx_auto=True, n_parallel=1, footprint=model(GIB, width=64))
    assert world.feed(Measured(world.free)) == "load a1"
    assert world.entry("a").plan.n_ctx == 131_072
    assert world.failed("a", OutOfMemory("no")) == "load a1"
    assert world.entry("a").plan.n_ctx == 32_768


def test_the_last_layers_go_first_whatever_their_sizes() -> None:
    """41: the engine takes layers from the end without a gap, the output, too."""
    cards = [card(0, 128), card(1, 256)]
    assert place(layers(256, 256, 50), cards, Wish()).split == {1: 1, 0: 1}


FULL = {"what fits": (-1, 8 * GIB), "four layers": (4, 8 * GIB)}


@pytest.mark.parametrize(("n_gpu_layers", "weights"), FULL.values(), ids=FULL)
def test_who_would_have_more_layers_without_the_others_waits_for_their_memory(
    n_gpu_layers: int, weights: int
) -> None:
    """43: layers that were asked for are placed as wished, and wait for nobody."""
    world = World(max_loaded=9, measures=True)
    world.free = machine(64 * GIB, a_card(0, 16 * GIB))
    use(world, "a", 12 * GIB)
    world.free = machine(64 * GIB, a_card(0, 16 * GIB, 2 * GIB))
    said = ask(world, "b", weights, n_gpu_layers=n_gpu_layers)
    assert said == ("unload a1" if n_gpu_layers < 0 else "load b2")


PARALLEL = {"as many as there is room for": (0, 4), "at most two": (2, 2), "at most nine": (9, 9)}


@pytest.mark.parametrize(("wanted", "pool"), PARALLEL.values(), ids=PARALLEL)
def test_a_setting_bounds_the_pool(wanted: int, pool: int) -> None:
    found = fit(
        model(GIB, width=8),
        replace_plan(AUTO, n_parallel=wanted),
        machine(64 * GIB),
        Loads(),
        Rules(),
    )
    assert found is not None
    assert found.plan.n_parallel == pool


def test_no_more_models_than_the_setting_says_whatever_the_memory() -> None:
    world = World(max_loaded=2, measures=True)
    world.free = machine(640 * GIB)
    use(world, "a", GIB)
    use(world, "b", GIB)
    assert ask(world, "c", GIB) == "unload a1"


SPREAD = {"one card": (Rules(), 1), "every card": (Rules(spread=True), 3)}


@pytest.mark.parametrize(("rules", "count"), SPREAD.values(), ids=SPREAD)
def test_spread_uses_every_card(rules: Rules, count: int) -> None:
    cards = [a_card(n, 24 * GIB) for n in range(3)]
    found = fit(model(), AUTO, machine(64 * GIB, *cards), Loads(), rules)
    assert found is not None
    assert len(found.plan.cards) == count


def test_overhead_stays_free_on_every_card() -> None:
    plan = replace_plan(AUTO, n_parallel=1, n_ctx_auto=False)
    whole = fit(model(), plan, machine(64 * GIB, a_card(0, 7 * GIB)), Loads(), Rules())
    cut = fit(
        model(), plan, machine(64 * GIB, a_card(0, 7 * GIB)), Loads(), Rules(overhead=3 * GIB)
    )
    assert whole is not None
    assert cut is not None
    assert cut.n_layers < whole.n_layers == 33
