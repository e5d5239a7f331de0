"""Loading and unloading: replies, keep-alive times, sharing, death, leaving."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from puna.api.events import Content, Done
from puna.errors import EngineDied, StartFailed
from puna.runner.fake import FakeEngine, Hold
from tests.fakes.clock import START, settle
from tests.service.world import HI, World, complaint, ending, first, play, text_of, tiny


@pytest.mark.parametrize("keep_alive", [None, 5, -1, "10m"])
def test_nothing_to_say_loads(tmp_path: Path, keep_alive: object) -> None:
    async def scene(w: World) -> None:
        assert await w.generate(keep_alive=keep_alive) == [Done("load")]
        assert await w.chat(messages=[], keep_alive=keep_alive) == [Done("load")]
        assert (len(w.launcher.plans), w.launcher.orders) == (1, [])

    play(tmp_path, scene)


@pytest.mark.parametrize("keep_alive", [0, 0.0, "0", "0s", "-0s"])
def test_and_for_no_time_unloads(tmp_path: Path, keep_alive: object) -> None:
    async def scene(w: World) -> None:
        assert await w.generate(keep_alive=keep_alive) == [Done("unload")]
        assert await w.chat(keep_alive=keep_alive) == [Done("unload")]
        assert w.launcher.plans == []
        await w.generate(prompt="x")
        assert await w.generate(keep_alive=keep_alive) == [Done("unload")]
        await settle()
        assert (await w.ps(), w.launcher.engines[0].closes) == ([], 1)

    play(tmp_path, scene)


def test_unloading_looks_at_nothing_else(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        fields: dict[str, Any] = {
            "raw": True,
            "system": "x",
            "suffix": "x",
            "think": True,
            "options": {"top_k": "x"},
        }
        assert await w.generate(keep_alive=0, **fields) == [Done("unload")]
        fields = {"tools": [{}], "think": True, "options": {"top_k": "x"}}
        assert await w.chat(keep_alive=0, **fields) == [Done("unload")]

    play(tmp_path, scene, tiny(arch="bert", bert__pooling_type=1))


def test_unloading_what_is_not_there(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert await complaint(w.generate("x", keep_alive=0)) == (404, "model 'x' not found")

    play(tmp_path, scene)


def test_unloading_waits_for_who_is_served(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        hold = Hold()
        w.launcher.will_say("fo", hold, "ur")
        async with asyncio.TaskGroup() as tasks:
            answer = tasks.create_task(w.generate(prompt="x"))
            await hold.reached()
            assert await w.generate(keep_alive=0) == [Done("unload")]
            await settle()
            assert w.launcher.engines[0].closes == 0
            hold.release()
        assert text_of(answer.result()) == "four"
        await settle()
        assert w.launcher.engines[0].closes == 1

    play(tmp_path, scene)


async def rest(w: World) -> float:
    """Seconds until the only loaded model will go."""
    (row,) = w.scheduler.loaded()
    return (row.expires_at - START).total_seconds() - (w.clock.now() - 1000)


KEPT: dict[str, tuple[object, float]] = {
    "by default": (None, 300),
    "seconds": (42.5, 42.5),
    "a duration": ("1h30m", 5400),
}


@pytest.mark.parametrize(("keep_alive", "seconds"), KEPT.values(), ids=KEPT)
def test_how_long_a_model_stays(tmp_path: Path, keep_alive: object, seconds: float) -> None:
    async def scene(w: World) -> None:
        await w.chat(messages=HI, keep_alive=keep_alive)
        assert await rest(w) == seconds
        await w.clock.advance(seconds - 1)
        assert len(await w.ps()) == 1
        await w.clock.advance(2)
        assert await w.ps() == []

    play(tmp_path, scene)


def test_a_negative_time_is_for_ever(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x", keep_alive=-1)
        assert await rest(w) > 200 * 365 * 24 * 3600
        await w.clock.advance(10 * 365 * 24 * 3600)
        assert len(await w.ps()) == 1

    play(tmp_path, scene)


def test_a_request_without_a_time_leaves_it(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x", keep_alive="1h")
        await w.generate(prompt="x")
        assert await rest(w) == 3600
        await w.chat(messages=HI, keep_alive=60)
        assert await rest(w) == 60

    play(tmp_path, scene)


def test_no_time_and_a_prompt_answers_then_unloads(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert text_of(await w.generate(prompt="x", keep_alive=0)) == "four"
        await settle()
        assert await w.ps() == []

    play(tmp_path, scene)


def test_the_servers_own_time(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x")
        assert await rest(w) == 7

    play(tmp_path, scene, keep_alive=7.0)


def test_names_that_share_weights_share_a_runner(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.copy("m", "twin")
        await w.create("child", **{"from": "m"}, system="be brief", parameters={"top_k": 1})
        for name in ("m", "twin", "child"):
            await w.generate(name, prompt="x")
        assert len(w.launcher.plans) == 1
        assert [row.name for row in await w.ps()] == ["m:latest"]
        await w.generate("child", keep_alive=0)
        await settle()
        assert await w.ps() == []

    play(tmp_path, scene)


def test_too_many_at_once(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        hold = Hold()
        w.launcher.will_launch(hold)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(w.generate(prompt="x"))
            await hold.reached()
            status, text = await complaint(w.generate(prompt="x"))
            hold.release()
        assert status == 503
        assert text == "server busy, please try again.  maximum pending requests exceeded"

    play(tmp_path, scene, max_queue=1)


def test_a_load_that_fails(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_launch(StartFailed("unknown model architecture"))
        assert await complaint(w.chat(messages=HI)) == (500, "unknown model architecture")
        assert text_of(await w.chat(messages=HI)) == "four"

    play(tmp_path, scene)


def test_a_model_that_is_deleted_while_others_wait_for_it_is_not_there(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        hold = Hold()
        w.launcher.will_launch(hold, StartFailed("no such file"))
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(complaint(w.generate(prompt="x")))
            await hold.reached()
            (digest,) = w.layers()["model"]
            (w.root / "blobs" / f"sha256-{digest}").unlink()
            hold.release()
        text = 'model "m:latest" was deleted while this request waited for it'
        assert waiting.result() == (404, text)

    play(tmp_path, scene)


@pytest.mark.parametrize("said", [(), ("fo",)])
def test_a_dead_engine_is_replaced(tmp_path: Path, said: tuple[str, ...]) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_say(*said, EngineDied("signal 9"))
        heard: list[str] = []

        async def listen() -> None:
            async for event in w.chatting(messages=HI):
                assert isinstance(event, Content)
                heard.append(event.text)

        with pytest.raises(EngineDied, match="model runner has unexpectedly stopped"):
            await listen()
        assert tuple(heard) == said
        assert text_of(await w.chat(messages=HI)) == "four"
        assert len(w.launcher.engines) == 2

    play(tmp_path, scene)


def test_an_engine_that_dies_unwatched(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x")
        w.launcher.engines[0].die()
        assert await w.ps() == []
        assert text_of(await w.generate(prompt="x")) == "four"
        assert len(w.launcher.engines) == 2

    play(tmp_path, scene)


def test_an_error_of_the_engine_goes_on_as_it_is(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        text = "the prompt is longer than the context length"
        w.launcher.will_say(StartFailed(text))
        assert await complaint(w.generate(prompt="x")) == (500, text)
        assert text_of(await w.generate(prompt="x")) == "four"
        assert len(w.launcher.engines) == 1

    play(tmp_path, scene)


@pytest.mark.parametrize("route", ["chat", "generate"])
def test_a_client_who_leaves_stops_the_engine(tmp_path: Path, route: str) -> None:
    async def scene(w: World) -> None:
        hold = Hold()
        w.launcher.will_say("fo", hold, "ur")
        events = w.chatting(messages=HI) if route == "chat" else w.generating(prompt="x")
        assert await first(events) == Content("fo")
        assert w.launcher.engines[0].cancelled == 1
        assert (await rest(w), w.scheduler.stats().running) == (300, 0)
        assert text_of(await w.chat(messages=HI)) == "four"

    play(tmp_path, scene)


def test_a_task_that_is_cancelled_stops_the_engine(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        hold = Hold()
        w.launcher.will_say("fo", hold, "ur")
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(w.generate(prompt="x"))
            await hold.reached()
            task.cancel()
        assert w.launcher.engines[0].cancelled == 1
        assert w.scheduler.stats().running == 0

    play(tmp_path, scene)


def test_a_client_who_leaves_while_it_loads(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        hold = Hold()
        w.launcher.will_launch(hold)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(w.generate(prompt="x"))
            await hold.reached()
            task.cancel()
        hold.release()
        await settle()
        assert w.scheduler.stats().waiting == 0
        assert len(await w.ps()) == 1
        assert w.launcher.orders == []

    play(tmp_path, scene)


def test_one_client_leaves_and_another_stays(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        hold = Hold()
        w.launcher.will_say("a", hold, "b")
        w.launcher.will_say("c", hold, "d")
        async with asyncio.TaskGroup() as tasks:
            async with aclosing(w.chatting(messages=HI)) as leaver:
                assert await anext(leaver) == Content("a")
                stayer = tasks.create_task(w.generate(prompt="x"))
                await settle()
            hold.release()
        assert text_of(stayer.result()) == "cd"
        (engine,) = w.launcher.engines
        assert isinstance(engine, FakeEngine)
        assert engine.cancelled == 1

    play(tmp_path, scene)


def test_the_times_of_an_answer(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        load, answer = Hold(), Hold()
        w.launcher.will_launch(load)
        w.launcher.will_say(answer, "four")
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(w.generate(prompt="x"))
            await load.reached()
            await w.clock.advance(2)
            load.release()
            await answer.reached()
            await w.clock.advance(3)
            answer.release()
        done = ending(task.result())
        assert (done.load_ns, done.total_ns) == (2 * 10**9, 5 * 10**9)
        assert (done.prompt_ns, done.eval_tokens, done.eval_ns) == (10**6, 1, 10**6)
        assert done.prompt_tokens == len(w.order.prompt)

    play(tmp_path, scene)
