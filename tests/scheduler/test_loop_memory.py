"""The scheduler at work on machines with this and that much memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from msgspec import structs

from puna.discover.hardware import Free
from puna.errors import OutOfMemory
from puna.runner.fake import FakeEngine, Hold, info_of
from puna.runner.protocol import EngineInfo, LoadPlan
from puna.scheduler.report import Waiting
from puna.scheduler.state import Need
from tests.fakes.clock import settle
from tests.fakes.machines import GIB, FakeProbe, a_card, machine
from tests.scheduler.stage import Stage, need, play
from tests.scheduler.test_fit import model


def sized(key: str, weights: int = 4 * GIB) -> Need:
    plan = LoadPlan(model=key, n_ctx_auto=True, n_parallel=0)
    return replace(need(key), plan=plan, footprint=model(weights))


def on_cards(size: int) -> EngineInfo:
    return structs.replace(info_of(LoadPlan(model="a")), size=size, size_vram=size)


def test_memory_is_looked_at_before_a_load_and_the_plan_made_by_it() -> None:
    probe = FakeProbe(machine(64 * GIB, a_card(0, 80 * GIB)))

    async def scene(stage: Stage) -> None:
        async with stage.running():
            await stage.use(sized("a"))
            await stage.use(sized("a"))
            assert probe.asked == 1
            (plan,) = stage.launcher.plans
            assert (plan.n_ctx, plan.cards, plan.n_gpu_layers) == (131_072, (0,), 33)

    play(scene, Stage(probe=probe))


def test_a_model_that_is_too_large_is_refused_with_the_figures() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running():
            assert await stage.use(sized("a", 70 * GIB)) is None
            (error,) = stage.failed
            assert isinstance(error, OutOfMemory)
            assert str(error).endswith("than is available (8.0 GiB)")
            assert not stage.launcher.plans

    play(scene, Stage(probe=FakeProbe(machine(8 * GIB))))


def test_a_card_gets_its_memory_back_before_the_next_load() -> None:
    """A driver may take its time after the process that had the memory is gone."""
    probe = FakeProbe(machine(64 * GIB, a_card(0, 8 * GIB)))

    async def scene(stage: Stage) -> None:
        async with stage.running() as tasks:
            info = on_cards(5 * GIB)
            stage.launcher.will_launch(FakeEngine(info=info))
            await stage.use(sized("a"))
            probe.now = machine(64 * GIB, a_card(0, 8 * GIB, 2 * GIB))
            other = tasks.create_task(stage.use(sized("b")))
            await settle()
            assert len(stage.launcher.plans) == 1
            await stage.clock.advance(1.0)
            assert len(stage.launcher.plans) == 1
            probe.now = machine(64 * GIB, a_card(0, 8 * GIB))
            await stage.clock.advance(1.0)
            assert await other is not None
            assert len(stage.launcher.plans) == 2

    play(scene, Stage(probe=probe))


ELSEWHERE: dict[str, tuple[Free, Free]] = {
    "another card": (
        machine(64 * GIB, a_card(0, 8 * GIB), a_card(1, 8 * GIB)),
        machine(64 * GIB, a_card(0, 8 * GIB), a_card(1, 8 * GIB, 0)),
    ),
    "Apple's, which the engine does not tell": (
        machine(64 * GIB, a_card(0, 8 * GIB, library="Metal")),
        machine(64 * GIB, a_card(0, 8 * GIB, library="Metal")),
    ),
    "the machine's": (
        machine(64 * GIB, a_card(0, 8 * GIB, integrated=True)),
        machine(64 * GIB, a_card(0, 8 * GIB, integrated=True)),
    ),
}


@pytest.mark.parametrize(("before", "after"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_no_other_memory_is_waited_for(before: Free, after: Free) -> None:
    """What a process frees of shared memory is there at once, or never seen."""
    probe = FakeProbe(before)

    async def scene(stage: Stage) -> None:
        async with stage.running() as tasks:
            stage.launcher.will_launch(FakeEngine(info=on_cards(5 * GIB)))
            await stage.use(sized("a"))
            probe.now = machine(64 * GIB, replace(before.cards[0], free=2 * GIB), *before.cards[1:])
            other = tasks.create_task(stage.use(sized("b")))
            await settle()
            probe.now = after
            await stage.clock.advance(0.25)
            assert await asyncio.wait_for(other, 10) is not None

    play(scene, Stage(probe=probe, max_loaded=1))


def test_memory_that_never_comes_back_is_not_waited_for_for_ever() -> None:
    probe = FakeProbe(machine(64 * GIB, a_card(0, 8 * GIB)))

    async def scene(stage: Stage) -> None:
        async with stage.running() as tasks:
            info = on_cards(5 * GIB)
            stage.launcher.will_launch(FakeEngine(info=info))
            await stage.use(sized("a"))
            probe.now = machine(64 * GIB, a_card(0, 8 * GIB, 2 * GIB))
            other = tasks.create_task(stage.use(sized("b")))
            for _ in range(30):
                await stage.clock.advance(0.25)
            assert await other is not None
            assert stage.launcher.plans[1].n_gpu_layers < 33

    play(scene, Stage(probe=probe))


def test_a_ticket_tells_what_it_waits_for() -> None:
    async def scene(stage: Stage) -> None:
        loading = Hold()
        stage.launcher.will_launch(loading)
        told: list[Waiting] = []
        async with stage.running() as tasks:
            tasks.create_task(release(loading))
            async with stage.scheduler.ask(sized("a")) as ticket:
                async for news in ticket.news():
                    told.append(news)
                lease = await ticket.lease()
            assert lease.engine is stage.launcher.engines[0]
        assert told[-1].reason == "the model is being loaded"
        assert {news.position for news in told} == {1}

    async def release(hold: Hold) -> None:
        await hold.reached()
        await asyncio.sleep(0.6)  # longer than between two looks
        hold.release()

    play(scene, Stage(probe=FakeProbe(Free(None))))
