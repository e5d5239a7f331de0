"""Several runners of one model: when they come, whom they serve, when they go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from puna.discover.hardware import Card
from puna.errors import OutOfMemory
from puna.runner.fake import Hold
from puna.runner.protocol import LoadPlan
from puna.scheduler.events import Expired, Measured, Released, UnloadAsked
from puna.scheduler.replicas import LONG_QUEUE
from puna.scheduler.state import Need
from tests.fakes.clock import settle
from tests.fakes.machines import GIB, FakeProbe, a_card, machine
from tests.scheduler.stage import Stage
from tests.scheduler.test_fit import model
from tests.scheduler.world import World

SIZE = 4 * GIB
CARDS = (a_card(0, 24 * GIB), a_card(1, 24 * GIB))


def ask(world: World, client: str = "", **options: Any) -> str:
    """One more request for the model `a`, whose runners serve two at a time."""
    footprint = model(SIZE)
    return world.ask("a", max_sequences=2, footprint=footprint, client=client, **options)


def loaded(*cards: Card, max_replicas: int = 2, max_loaded: int = 9) -> World:
    """A machine with these cards whose model `a` is loaded, and serves two requests."""
    world = World(max_loaded=max_loaded, measures=True, max_replicas=max_replicas)
    world.free = machine(64 * GIB, *(cards or CARDS))
    assert ask(world, "ann") == "measure"
    assert world.feed(Measured(world.free)) == "load a1"
    assert world.loaded("a") == "admit 1 a1"
    assert ask(world, "bob") == "admit 2 a1"
    return world


def crowd(world: World) -> str:
    """So many more requests that a further runner pays; what came of the last, and the look at the
    memory."""
    for number in range(LONG_QUEUE - 1):
        assert ask(world, f"c{number}") == ""
    said = ask(world, "last")
    return world.feed(Measured(world.free)) if said == "measure" else said


def doubled() -> World:
    """A model with two runners, each of which serves two requests, and two more wait."""
    world = loaded()
    assert crowd(world) == "load a #22"
    assert world.loaded("a #2") == "admit 3 a #22 admit 4 a #22"
    return world


def rest(world: World) -> list[str]:
    """Let every request end, those that wait, too; what followed from each."""
    said = []
    while world.state.running:
        for entry in list(world.state.entries.values()):
            for number in sorted(entry.leases):
                said.append(world.feed(Released(entry.runner, number)))
    return said


def test_a_long_queue_brings_a_further_runner_on_a_card_that_nobody_uses() -> None:
    world = doubled()
    assert [entry.plan.cards for entry in world.state.entries.values()] == [(0,), (1,)]
    first, second = (entry.plan for entry in world.state.entries.values())
    assert (first.n_ctx, first.n_parallel) == (second.n_ctx, second.n_parallel)


SINGLE: dict[str, dict[str, Any]] = {
    "one is the most": {"max_replicas": 1},
    "no place": {"max_loaded": 1},
    "no other card": {"cards": CARDS[:1]},
    "the other card is too small": {"cards": (CARDS[0], a_card(1, 4 * GIB))},
    "the other card is others'": {"cards": (CARDS[0], a_card(1, 24 * GIB, 1 * GIB))},
    "the other card has the machine's memory": {
        "cards": (CARDS[0], a_card(1, 24 * GIB, integrated=True))
    },
}


@pytest.mark.parametrize("case", SINGLE)
def test_a_model_stays_with_one_runner(case: str) -> None:
    options = dict(SINGLE[case])
    cards = options.pop("cards", CARDS)
    world = loaded(*cards, **options)
    assert crowd(world) == ""
    assert list(world.state.entries) == ["a"]


def test_nobody_is_sent_away_for_a_further_runner() -> None:
    world = loaded()
    assert world.ask("b", footprint=model(SIZE)) == "measure"
    assert world.feed(Measured(world.free)) == "load b2"
    world.loaded("b")
    world.released("b", world.state.last_order)
    assert world.entry("b").plan.cards == (1,)
    assert crowd(world) == ""
    assert not world.entry("b").leaving


def test_a_short_queue_waits() -> None:
    world = loaded()
    for _ in range(LONG_QUEUE - 1):
        assert ask(world) == ""


def test_a_client_returns_to_the_runner_that_knows_its_prompts() -> None:
    world = doubled()
    rest(world)
    assert ask(world, "c0").endswith("a #22")
    assert ask(world, "c0").endswith("a #22")
    assert ask(world, "ann").endswith("a1")


def test_who_is_not_known_goes_where_least_is_to_do() -> None:
    world = doubled()
    rest(world)
    takers = [ask(world, f"new{number}").partition(" ")[2].partition(" ")[2] for number in range(4)]
    assert takers == ["a1", "a #22", "a1", "a #22"]


def test_a_further_runner_goes_when_it_is_idle_and_the_model_stays() -> None:
    world = doubled()
    rest(world)
    world.now += 59
    assert world.feed(Expired()) == ""
    world.now += 1
    assert world.feed(Expired()) == "unload a #22"
    world.closed("a #2")
    world.now += 239
    assert world.feed(Expired()) == ""
    world.now += 1
    assert world.feed(Expired()) == "unload a1"


def test_the_last_runner_of_a_model_stays_as_long_as_the_model() -> None:
    world = doubled()
    rest(world)
    world.entry("a").phase = world.entry("a").phase.CLOSING
    world.closed("a")
    world.now += 60
    assert world.feed(Expired()) == ""
    assert ask(world).startswith("admit"), "it serves alone"


def test_a_further_runner_that_does_not_load_fails_nobody_and_is_not_tried_again() -> None:
    world = loaded()
    assert crowd(world) == "load a #22"
    assert world.failed("a #2", OutOfMemory("no")) == ""
    assert len(world.state.waiting) == LONG_QUEUE
    assert ask(world) == ""
    assert world.released("a", 1) == "admit 3 a1"


def test_an_unload_ends_every_runner() -> None:
    world = doubled()
    world.feed(UnloadAsked("a"))
    assert {"unload a1", "unload a #22"} <= set(rest(world))


def test_a_larger_context_waits_for_all_runners_to_finish() -> None:
    world = doubled()
    rest(world)
    assert ask(world, n_ctx=400_000) == "unload a1 unload a #22"


def test_the_runners_of_a_model_are_one_model_to_who_watches() -> None:
    async def scene() -> str:
        stage = Stage(probe=FakeProbe(machine(64 * GIB, *CARDS)), max_replicas=2)
        plan = LoadPlan(model="a", max_sequences=2, n_parallel=1)
        wanted, done = Need("a", plan, "a:latest", footprint=model(SIZE)), Hold()
        async with stage.running() as tasks:
            users = [tasks.create_task(stage.use(wanted, done)) for _ in range(2 + LONG_QUEUE)]
            await settle()
            assert stage.names == ["a:latest"] * 2
            text = stage.scheduler.metrics.text().decode()
            done.release()
            await asyncio.wait(users)
        return text

    lines = dict(line.rsplit(" ", 1) for line in asyncio.run(scene()).splitlines())
    assert float(lines['puna_model_bytes{model="a:latest"}']) == 2 << 20


def test_a_further_runner_has_the_context_of_the_first_and_serves_whom_that_serves() -> None:
    world = World(max_loaded=9, measures=True, max_replicas=2)
    world.free = machine(64 * GIB, *CARDS)
    assert ask(world, "ann", n_ctx_auto=True) == "measure"
    assert world.feed(Measured(world.free)) == "load a1"
    world.loaded("a")
    ask(world, "bob", n_ctx_auto=True)
    for number in range(LONG_QUEUE):
        ask(world, f"c{number}", n_ctx_auto=True)
    world.feed(Measured(world.free))
    assert {entry.plan.n_ctx_auto for entry in world.state.entries.values()} == {True}
    assert len({entry.plan.n_ctx for entry in world.state.entries.values()}) == 1
    assert len(world.state.entries) == 2
