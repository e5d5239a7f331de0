"""The fake engine keeps the promises of the contract, so that tests built on it mean something."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator

import pytest

from puna.errors import BadRequest, EngineDied, StartFailed
from puna.runner.fake import FakeEngine, FakeLauncher, Hold
from puna.runner.protocol import (
    Embedding,
    Engine,
    Finished,
    Generation,
    Launcher,
    LoadPlan,
    Piece,
    TokenEvent,
)

PLAN = LoadPlan(model="/blobs/a", n_ctx=128, n_parallel=2)


async def heard(engine: Engine, prompt: str = "hi") -> list[TokenEvent]:
    async with engine.generate(Generation(prompt=prompt, want_tokens=True)) as events:
        return [event async for event in events]


def texts(events: list[TokenEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Piece)]


def test_it_says_what_it_was_told_then_falls_silent() -> None:
    engine = FakeEngine()
    engine.will_say("four", Piece("!"))
    first, second = asyncio.run(heard(engine)), asyncio.run(heard(engine))
    assert texts(first) == ["four", "!"]
    assert first[-1] == Finished(
        reason="stop",
        prompt_tokens=2,
        prompt_ns=1_000_000,
        eval_tokens=2,
        eval_ns=2_000_000,
        tokens=tuple(b"hifour!"),
    )
    assert texts(second) == []
    assert isinstance(second[-1], Finished)
    assert [order.prompt for order in engine.orders] == ["hi", "hi"]


def test_a_script_may_end_in_figures_of_its_own() -> None:
    engine = FakeEngine()
    end = Finished(reason="length", prompt_tokens=9, prompt_ns=1, eval_tokens=7, eval_ns=2)
    engine.will_say("a", end)
    assert asyncio.run(heard(engine)) == [Piece("a"), end]


def test_an_error_in_a_script_comes_after_what_was_said_before() -> None:
    async def scene() -> list[str]:
        engine = FakeEngine()
        engine.will_say("a", BadRequest("no"), "b")
        said: list[TokenEvent] = []
        async with engine.generate(Generation(prompt="")) as events:
            with pytest.raises(BadRequest, match="no"):
                await collect(events, said)
        assert engine.alive
        assert engine.cancelled == 0
        return texts(said)

    assert asyncio.run(scene()) == ["a"]


@pytest.mark.parametrize("way", ["die", "close"])
def test_death_ends_a_held_generation_and_refuses_later_ones(way: str) -> None:
    async def scene() -> None:
        engine, hold = FakeEngine(), Hold()
        engine.will_say("a", hold, "b")
        async with asyncio.TaskGroup() as tasks:
            hearing = tasks.create_task(expect_death(engine))
            await hold.reached()
            if way == "die":
                engine.die()
            else:
                await engine.close()
            assert await hearing == ["a"]
        assert not engine.alive
        with pytest.raises(EngineDied):
            await heard(engine)

    async def expect_death(engine: FakeEngine) -> list[str]:
        said: list[TokenEvent] = []
        async with engine.generate(Generation(prompt="")) as events:
            with pytest.raises(EngineDied):
                await collect(events, said)
        return texts(said)

    asyncio.run(scene())


async def collect(events: AsyncIterator[TokenEvent], said: list[TokenEvent]) -> None:
    async for event in events:
        said.append(event)


def test_leaving_early_counts_as_cancelled() -> None:
    async def scene() -> int:
        engine = FakeEngine()
        engine.will_say("a", "b")
        async with engine.generate(Generation(prompt="")) as events:
            await anext(events)
        return engine.cancelled

    assert asyncio.run(scene()) == 1


def test_text_and_tokens_are_twins() -> None:
    async def scene() -> None:
        engine = FakeEngine()
        assert await engine.detokenize(await engine.tokenize("grün 🌋")) == "grün 🌋"
        with pytest.raises(BadRequest):
            await engine.detokenize([256])

    asyncio.run(scene())


def test_a_launcher_gives_out_engines_as_told() -> None:
    async def scene() -> None:
        launcher, mine = FakeLauncher(), FakeEngine()
        seam: Launcher = launcher
        launcher.will_launch(mine)
        launcher.will_launch(StartFailed("broken"))
        launcher.will_say("one")
        assert await seam.launch(PLAN) is mine
        with pytest.raises(StartFailed, match="broken"):
            await seam.launch(PLAN)
        third = await seam.launch(PLAN)
        assert (third.info.n_ctx, third.info.n_cells) == (128, 256)
        assert texts(await heard(third)) == ["one"]
        assert launcher.plans == [PLAN, PLAN, PLAN]
        assert len(launcher.engines) == 2
        assert [order.prompt for order in launcher.orders] == ["hi"]

    asyncio.run(scene())


def test_vectors_are_those_it_was_told() -> None:
    async def scene() -> None:
        launcher = FakeLauncher()
        launcher.will_embed("a", [1, 2])
        launcher.will_embed("bad", BadRequest("no"))
        engine: Engine = await launcher.launch(PLAN)
        result = await engine.embed(Embedding(inputs=("grün", "a")))
        vectors = [list(array("f", raw)) for raw in result.vectors]
        assert (vectors, result.tokens) == ([[5, 1], [1, 2]], [5, 1])
        with pytest.raises(BadRequest, match="no"):
            await engine.embed(Embedding(inputs=("a", "bad")))
        assert [order.inputs for order in launcher.embeddings] == [("grün", "a"), ("a", "bad")]
        await engine.close()
        with pytest.raises(EngineDied):
            await engine.embed(Embedding(inputs=("a",)))

    asyncio.run(scene())
