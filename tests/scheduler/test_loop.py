"""The scheduler at work, with fake engines and a clock that the test moves."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from puna.errors import (
    BadModelFile,
    Busy,
    Cancelled,
    EngineDied,
    OutOfMemory,
    PunaError,
    StartFailed,
)
from puna.runner.fake import FakeEngine, Hold
from puna.runner.protocol import Generation, Piece
from puna.scheduler.clock import SystemClock
from puna.scheduler.report import Stats
from tests.fakes.clock import START, settle
from tests.scheduler.stage import Stage, need, play

FOREVER = float("inf")


def test_a_lease_gives_an_engine_and_the_second_finds_it_loaded() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running():
            loading = Hold()
            stage.launcher.will_launch(loading)
            stage.launcher.will_say("four")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(later(stage, loading, 7.5))
                async with stage.scheduler.lease(need("a")) as lease:
                    assert lease.load_ns == 7_500_000_000
                    async with lease.engine.generate(Generation(prompt="2+2?")) as events:
                        assert (await anext(aiter(events))) == Piece("four")
            async with stage.scheduler.lease(need("a")) as again:
                assert again.engine is lease.engine
                assert again.load_ns == 0
        assert len(stage.launcher.plans) == 1

    async def later(stage: Stage, hold: Hold, seconds: float) -> None:
        await hold.reached()
        await stage.clock.advance(seconds)
        hold.release()

    play(scene)


def test_two_models_load_side_by_side() -> None:
    async def scene(stage: Stage) -> None:
        slow = Hold()
        stage.launcher.will_launch(slow)
        async with stage.running() as tasks:
            tasks.create_task(stage.use(need("slow")))
            await slow.reached()
            assert await stage.use(need("quick")) is not None
            assert stage.names == ["quick:latest"]
            slow.release()

    play(scene)


@pytest.mark.parametrize(
    "error", [BadModelFile("bad"), OutOfMemory("big"), StartFailed("x")], ids=type
)
def test_the_error_of_a_load_reaches_everyone_who_waits(error: PunaError) -> None:
    async def scene(stage: Stage) -> None:
        stage.launcher.will_launch(error)
        async with stage.running():
            async with asyncio.TaskGroup() as tasks:
                for _ in range(3):
                    tasks.create_task(stage.use(need("a")))
            assert stage.failed == [error] * 3
            assert stage.scheduler.stats() == Stats(0, 0, 0, 0)
            assert await stage.use(need("a")) is not None

    play(scene)


def test_an_unforeseen_error_of_a_launcher_is_a_failed_start() -> None:
    async def scene(stage: Stage) -> None:
        stage.launcher.will_launch(OSError("no such program"))
        async with stage.running():
            await stage.use(need("a"))
        assert [str(error) for error in stage.failed] == ["no such program"]
        assert isinstance(stage.failed[0], StartFailed)

    play(scene)


def test_without_a_running_loop_the_queue_fills_and_then_refuses() -> None:
    async def scene(stage: Stage) -> None:
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(stage.use(need("a")))
            await settle()
            with pytest.raises(Busy):
                async with stage.scheduler.lease(need("b")):
                    pass
            assert stage.scheduler.stats().waiting == 1
            async with stage.running():
                assert await first is not None

    play(scene, Stage(max_queue=1))


def test_a_client_who_leaves_while_waiting_is_forgotten_and_the_load_goes_on() -> None:
    async def scene(stage: Stage) -> None:
        loading = Hold()
        stage.launcher.will_launch(loading)
        async with stage.running() as tasks:
            waiting = tasks.create_task(stage.use(need("a")))
            await loading.reached()
            waiting.cancel()
            await settle()
            assert stage.scheduler.stats() == Stats(waiting=0, running=0, loaded=0, loading=1)
            loading.release()
            await settle()
            assert stage.names == ["a:latest"]
            await stage.clock.advance(300)
            assert stage.names == []
            assert stage.launcher.engines[0].closes == 1

    play(scene)


@pytest.mark.parametrize("turns", range(8))  # before, in and after the moment
def test_a_client_who_leaves_in_the_moment_of_admission_holds_nothing(turns: int) -> None:
    async def scene() -> None:
        stage, loading = Stage(), Hold()
        stage.launcher.will_launch(loading)
        async with stage.running() as tasks:
            waiting = tasks.create_task(stage.use(need("a"), Hold()))
            await loading.reached()
            loading.release()
            for _ in range(turns):
                await asyncio.sleep(0)
            waiting.cancel()
            await settle()
            assert stage.scheduler.stats() == Stats(waiting=0, running=0, loaded=1, loading=0)

    asyncio.run(scene())


def test_an_idle_model_goes_when_its_time_is_over_and_not_before() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running():
            await stage.use(need("short", keep_alive=10))
            await stage.use(need("forever", keep_alive=FOREVER))
            await stage.use(need("usual"))
            await stage.clock.advance(9)
            assert stage.names == ["forever:latest", "usual:latest", "short:latest"]
            await stage.use(need("short"))
            await stage.clock.advance(9)
            assert "short:latest" in stage.names
            await stage.clock.advance(1)
            assert stage.names == ["forever:latest", "usual:latest"]
            await stage.clock.advance(365 * 24 * 3600)
            assert stage.names == ["forever:latest"]

    play(scene)


def test_a_busy_model_is_not_unloaded_by_time_or_wish() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running() as tasks:
            done = Hold()
            using = tasks.create_task(stage.use(need("a", keep_alive=1), done))
            await done.reached()
            await stage.clock.advance(100)
            stage.scheduler.unload("a")
            await settle()
            engine = stage.launcher.engines[0]
            assert engine.alive
            assert stage.names == ["a:latest"]
            assert stage.scheduler.loaded()[0].expires_at == stage.clock.wall(), "stopping"
            done.release()
            assert await using is engine
            await settle()
            assert (stage.names, engine.closes) == ([], 1)

    play(scene)


def test_unloading_what_is_not_loaded_is_fine() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running():
            stage.scheduler.unload("nobody")

    play(scene)


def test_a_full_house_lets_the_least_used_go_and_waits_for_a_busy_one() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running() as tasks:
            done = Hold()
            tasks.create_task(stage.use(need("a"), done))
            await done.reached()
            new = tasks.create_task(stage.use(need("b")))
            again = tasks.create_task(stage.use(need("a", keep_alive=FOREVER)))
            await settle()
            assert stage.scheduler.stats() == Stats(waiting=2, running=1, loaded=1, loading=0)
            done.release()
            await asyncio.wait([new, again])
            assert [plan.model for plan in stage.launcher.plans] == ["a", "b", "a"]
            assert stage.launcher.engines[0] is not await again

    play(scene, Stage(max_loaded=1))


def test_a_larger_context_reloads_and_a_smaller_one_does_not() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running():
            first = await stage.use(need("a", n_ctx=100))
            second = await stage.use(need("a", n_ctx=200))
            third = await stage.use(need("a", n_ctx=100))
            assert first is not second
            assert second is third
            assert first is not None
            assert first.closes == 1
            assert stage.scheduler.loaded()[0].n_ctx == 200

    play(scene)


def test_a_death_in_mid_stream_is_an_error_now_and_a_fresh_runner_next() -> None:
    async def scene(stage: Stage) -> None:
        stage.launcher.will_say("half", EngineDied("killed"))
        async with stage.running():
            with pytest.raises(EngineDied):
                async with stage.scheduler.lease(need("a")) as lease:
                    await hear(lease.engine)  # type: ignore[arg-type]
            assert stage.names == []
            stage.launcher.will_say("whole")
            assert await stage.use(need("a")) is stage.launcher.engines[1]
            assert [engine.closes for engine in stage.launcher.engines] == [1, 0]

    async def hear(engine: FakeEngine) -> None:
        async with engine.generate(Generation(prompt="")) as events:
            async for _ in events:
                pass

    play(scene)


def test_a_death_that_the_engine_has_not_noticed_itself_counts_too() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running():
            with pytest.raises(EngineDied):
                async with stage.scheduler.lease(need("a")):
                    raise EngineDied
            assert await stage.use(need("a")) is stage.launcher.engines[1]

    play(scene)


def test_a_runner_that_died_while_idle_is_not_handed_out() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running():
            await stage.use(need("a"))
            stage.launcher.engines[0].die()
            assert stage.names == []
            assert await stage.use(need("a")) is stage.launcher.engines[1]

    play(scene)


def test_a_model_too_big_beside_others_is_tried_again_alone() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running():
            small = await stage.use(need("small"))
            stage.launcher.will_launch(OutOfMemory("no"))
            big = await stage.use(need("big"))
            assert small is not None
            assert big is not None
            assert not small.alive
            assert stage.names == ["big:latest"]

    play(scene)


def test_a_launcher_that_never_comes_back_is_given_up() -> None:
    async def scene(stage: Stage) -> None:
        lost = Hold()
        stage.launcher.will_launch(lost)
        async with stage.running() as tasks:
            waiting = tasks.create_task(stage.use(need("a")))
            await lost.reached()
            await stage.clock.advance(12 * 300)
            assert await waiting is None
            assert str(stage.failed[0]) == "timed out waiting for model runner to start"
            assert await stage.use(need("a")) is not None

    play(scene)


def test_the_end_closes_every_engine_once_and_tells_who_waits() -> None:
    async def scene(stage: Stage) -> None:
        lost = Hold()
        async with asyncio.TaskGroup() as outer:
            async with stage.running():
                for key in ("a", "b"):
                    await stage.use(need(key))
                stage.launcher.will_launch(lost)
                outer.create_task(stage.use(need("c")))
                await lost.reached()
            await settle()
        assert [engine.closes for engine in stage.launcher.engines] == [1, 1]
        assert [type(error) for error in stage.failed] == [Cancelled]
        await stage.use(need("a"))
        assert [type(error) for error in stage.failed] == [Cancelled, Cancelled]

    play(scene)


def test_an_engine_that_does_not_close_properly_hinders_nobody() -> None:
    class Stubborn(FakeEngine):
        async def close(self) -> None:
            raise OSError("no such process")

    async def scene(stage: Stage) -> None:
        stage.launcher.will_launch(Stubborn())
        async with stage.running():
            await stage.use(need("a", keep_alive=0))
            assert await stage.use(need("b")) is not None
            assert stage.names == ["b:latest"]

    play(scene, Stage(max_loaded=1))


def test_the_list_of_loaded_models_tells_when_each_will_go() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running() as tasks:
            done = Hold()
            await stage.use(need("idle"))
            tasks.create_task(stage.use(need("busy", keep_alive=600), done))
            await stage.use(need("forever", keep_alive=FOREVER))
            await done.reached()
            await stage.clock.advance(60)
            forever, busy, idle = stage.scheduler.loaded()
            assert (idle.name, idle.digest, idle.details) == (
                "idle:latest",
                "digest of idle",
                {"of": "idle"},
            )
            assert idle.info.size == 1 << 20
            assert idle.n_ctx == 4096
            assert idle.expires_at == START + timedelta(seconds=300)
            assert busy.expires_at == START + timedelta(seconds=660), "as if it ended now"
            assert forever.expires_at.year == START.year + 291
            assert stage.scheduler.stats() == Stats(waiting=0, running=1, loaded=3, loading=0)
            done.release()

    play(scene)


def test_the_machines_clock_goes_forward() -> None:
    async def scene() -> None:
        clock = SystemClock()
        start = clock.now()
        await clock.sleep_until(start + 0.02)
        await clock.sleep_until(start)
        assert clock.now() >= start + 0.015
        assert clock.wall().tzinfo is not None

    asyncio.run(scene())


def test_loads_evictions_and_crashes_are_counted() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.running():
            await stage.use(need("a"))
            await stage.use(need("b"))
            stage.launcher.will_launch(StartFailed("x"))
            await stage.use(need("c"))
            await stage.use(need("d"))
            stage.launcher.engines[-1].die()
            await stage.use(need("d"))
            await settle()
            text = stage.scheduler.metrics.text().decode()
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        assert lines['puna_evictions_total{model="a:latest"}'] == "1.0"
        assert lines['puna_failed_loads_total{model="c:latest"}'] == "1.0"
        assert lines['puna_runner_crashes_total{model="d:latest"}'] == "1.0"
        assert lines['puna_load_seconds_count{model="d:latest"}'] == "2.0"
        assert lines["puna_loaded_models"] == "1.0"

    play(scene, Stage(max_loaded=1))
