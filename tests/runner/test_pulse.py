"""A runner that hangs is told from one that is slow, and is ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from puna.config import FOREVER
from puna.errors import EngineDied
from puna.runner.handle import ProcessEngine
from puna.runner.launcher import ProcessLauncher
from puna.runner.protocol import Generation, LoadPlan, Sampling
from puna.runner.pulse import Effort, Pulse, read_effort
from tests.fakes.ggufs import make_tiny_llama

LIMIT = 300.0
TICK = 5.0


def seconds_until_hung(pulse: Pulse, *, busy: float = 0.0, pages: int = 0, most: float) -> float:
    """How long a silence is watched before it is taken for a hang; `most` when it never is.

    `busy` is the share of the time that the process computes, `pages` what it reads at each look.
    """
    passed = 0.0
    while passed < most:
        passed += TICK
        if pulse.look(TICK, Effort(busy * passed, int(pages * passed))):
            return passed
    return most


HANGS = {
    "it does nothing": ({}, LIMIT + TICK),
    "it hardly does anything": ({"busy": 0.01}, LIMIT + TICK),
    "it computes": ({"busy": 1.0}, 12 * LIMIT),
    "it computes, and gets little of the machine": ({"busy": 0.03}, 12 * LIMIT),
    "it reads weights that are not in memory": ({"pages": 1}, 12 * LIMIT),
}


@pytest.mark.parametrize(("doing", "after"), HANGS.values(), ids=HANGS)
def test_a_silence_is_a_hang_sooner_where_nothing_is_done(
    doing: dict[str, float], after: float
) -> None:
    assert seconds_until_hung(Pulse(LIMIT), most=1e6, **doing) == after  # type: ignore[arg-type]


def test_without_figures_of_the_process_the_longer_limit_counts() -> None:
    pulse = Pulse(LIMIT)
    assert not any(pulse.look(TICK, None) for _ in range(int(12 * LIMIT / TICK) - 1))
    assert pulse.look(TICK, None)


def test_a_sign_of_life_starts_the_time_anew() -> None:
    pulse = Pulse(LIMIT)
    for _ in range(50):
        assert seconds_until_hung(pulse, most=10 * TICK) == 10 * TICK
        pulse.beat()


def test_who_needed_long_for_a_step_may_need_longer_for_another() -> None:
    pulse = Pulse(LIMIT)
    assert seconds_until_hung(pulse, busy=1.0, most=200.0) == 200.0
    pulse.beat()
    assert seconds_until_hung(pulse, most=1e6) == 10 * 200.0 + TICK


def test_who_is_asked_for_nothing_does_not_hang() -> None:
    pulse = Pulse(LIMIT)
    for _ in range(1000):
        assert seconds_until_hung(pulse, most=LIMIT - TICK) < LIMIT
        pulse.rest()


def test_the_time_in_which_nobody_looked_does_not_count() -> None:
    """A machine that was asleep, or a server that was stopped together with its runners."""
    pulse = Pulse(LIMIT)
    pulse.look(TICK, Effort(0.0))
    assert not pulse.look(86_400.0, Effort(0.0))
    assert pulse.silent == 3 * TICK


def test_without_a_limit_nobody_looks() -> None:
    assert Pulse(FOREVER).tick == FOREVER


STATS = {
    "a process": ("7 (a) b) S 1 7 7 0 -1 0 90 0 12 0 250 50 0 0 20 0 3 0 99", Effort(3.0, 12)),
    "cut off": ("7 (a) S 1 7", None),
    "empty": ("", None),
    "no number": ("7 (a) S 1 7 7 0 -1 0 90 0 x 0 250 50 0", None),
    "gone": (None, None),
}


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux's file")
@pytest.mark.parametrize(("text", "effort"), STATS.values(), ids=STATS)
def test_the_effort_of_a_process(tmp_path: Path, text: str | None, effort: Effort | None) -> None:
    if text is not None:
        (tmp_path / "7").mkdir()
        (tmp_path / "7" / "stat").write_text(text)
    assert read_effort(7, tmp_path) == effort


def endless(n_ctx: int = 256) -> Generation:
    return Generation(prompt="x", n_ctx=n_ctx, max_tokens=-1, sampling=Sampling(seed=1))


async def words(engine: ProcessEngine, most: int) -> int:
    count = 0
    async with engine.generate(endless()) as events:
        async for _ in events:
            count += 1
            if count == most:
                break
    return count


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("models") / "tiny.gguf")


def test_a_runner_that_stands_still_is_ended_and_another_serves(tiny: Path) -> None:
    async def never_answered(engine: ProcessEngine) -> None:
        with pytest.raises(EngineDied):
            await engine.tokenize("x")

    async def run() -> None:
        plan = LoadPlan(model=str(tiny), n_ctx=256)
        async with asyncio.timeout(60), ProcessLauncher(60, step_timeout=0.5) as launcher:
            engine = await launcher.launch(plan)
            await asyncio.sleep(0.8)  # idle for longer than the limit
            assert await words(engine, 20) == 20
            async with engine.generate(endless()) as events, asyncio.TaskGroup() as tasks:
                await anext(events)
                os.kill(engine.info.pid, signal.SIGSTOP)
                how = os.WSTOPPED | os.WNOWAIT
                await asyncio.to_thread(os.waitid, os.P_PID, engine.info.pid, how)
                tasks.create_task(never_answered(engine))
                with pytest.raises(EngineDied, match=r"unexpectedly stopped.*did not end a step"):
                    [event async for event in events]
            assert not engine.alive
            assert await words(await launcher.launch(plan), 5) == 5

    asyncio.run(run())


def test_a_client_that_does_not_read_lets_nobody_hang(tiny: Path) -> None:
    """The answer has ended for the runner, which then has nothing to say."""

    async def run() -> None:
        async with asyncio.timeout(60), ProcessLauncher(60, step_timeout=0.4) as launcher:
            engine = await launcher.launch(LoadPlan(model=str(tiny), n_ctx=256))
            short = Generation(prompt="x", n_ctx=256, max_tokens=3)
            async with engine.generate(short) as events:
                await asyncio.sleep(1.2)
                assert len([event async for event in events]) >= 1
            assert engine.alive

    asyncio.run(run())
