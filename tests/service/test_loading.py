"""Loading and unloading: replies, keep-alive times, load plans, sharing, death, leaving."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from puna.api.events import Content, Done
from puna.errors import EngineDied, StartFailed
from puna.models.digest import Digest
from puna.runner.fake import FakeEngine, Hold
from puna.runner.protocol import LoadPlan
from tests.fakes.clock import START, settle
from tests.service.world import HI, World, complaint, ending, first, play, text_of, tiny

# -- replies


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


# -- keep-alive


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


# -- load plans

NO_LENGTH = tiny(n_ctx=0)

CONTEXTS: dict[str, tuple[bytes, dict[str, Any], dict[str, Any], int]] = {
    "default": (b"", {}, {}, 4096),
    "the server's": (b"", {"context_length": 2048}, {}, 2048),
    "the request's": (b"", {"context_length": 2048}, {"num_ctx": 1024}, 1024),
    "cut to whole tokens": (b"", {}, {"num_ctx": 2048.7}, 2048),
    "a floor": (b"", {}, {"num_ctx": 1}, 4),
    "below zero": (b"", {}, {"num_ctx": -5}, 4),
    "zero is unset": (b"", {}, {"num_ctx": 0}, 4096),
    "null is unset": (b"", {}, {"num_ctx": None}, 4096),
    "as trained": (b"", {}, {"num_ctx": 9999}, 8192),
    "the server's, as trained": (b"", {"context_length": 10**9}, {}, 8192),
    "a small model": (tiny(n_ctx=128), {}, {}, 128),
    "of unknown training": (NO_LENGTH, {}, {"num_ctx": 9999}, 9999),
    "beyond 32 bits": (NO_LENGTH, {}, {"num_ctx": 2**40}, 2**24),
}


@pytest.mark.parametrize(
    ("gguf", "settings", "options", "expected"), CONTEXTS.values(), ids=CONTEXTS
)
def test_contexts(
    tmp_path: Path, gguf: bytes, settings: dict[str, Any], options: dict[str, Any], expected: int
) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x", options=options)
        assert w.launcher.plans[0].n_ctx == expected
        assert w.order.n_ctx == expected

    play(tmp_path, scene, gguf, **settings)


PLANS: dict[str, tuple[dict[str, Any], dict[str, object]]] = {
    "batch": ({"num_batch": 64}, {"n_batch": 64}),
    "batch within the context": ({"num_batch": 9999, "num_ctx": 256}, {"n_batch": 256}),
    "an odd batch": ({"num_batch": -3}, {"n_batch": 1}),
    "threads": ({"num_thread": 3}, {"n_threads": 3}),
    "no threads": ({"num_thread": -3}, {"n_threads": 0}),
    "layers": ({"num_gpu": 5}, {"n_gpu_layers": 5}),
    "no layers": ({"num_gpu": 0}, {"n_gpu_layers": 0}),
    "all layers": ({"num_gpu": 2**40}, {"n_gpu_layers": 100_000}),
    "card": ({"main_gpu": 0}, {"main_gpu": 0}),
    "no map": ({"use_mmap": False}, {"use_mmap": False}),
    "nothing": ({}, {"n_batch": 0, "n_gpu_layers": -1, "main_gpu": None, "use_mmap": None}),
}


@pytest.mark.parametrize(("options", "expected"), PLANS.values(), ids=PLANS)
def test_plans(tmp_path: Path, options: dict[str, Any], expected: dict[str, object]) -> None:
    async def scene(w: World) -> LoadPlan:
        await w.generate(prompt="x", options=options)
        return w.launcher.plans[0]

    plan = play(tmp_path, scene)
    assert {name: getattr(plan, name) for name in expected} == expected


def test_the_servers_settings_reach_the_plan(tmp_path: Path) -> None:
    async def scene(w: World) -> LoadPlan:
        await w.generate(prompt="x")
        (digest,) = w.layers()["model"]
        assert w.launcher.plans[0].model == str(w.root / "blobs" / f"sha256-{digest}")
        return w.launcher.plans[0]

    settings: dict[str, Any] = {"num_parallel": 4, "max_sequences": 9, "flash_attention": True}
    plan = play(tmp_path, scene, b"", kv_cache_type="q8_0", speculation="off", **settings)
    assert (plan.n_parallel, plan.max_sequences) == (4, 9)
    assert (plan.flash_attention, plan.kv_type, plan.speculation) == (True, "q8_0", "off")


DRAFTS: dict[str, tuple[str, bytes, bool]] = {
    "on": ("on", tiny(n_ctx=64), True),
    "from the text only": ("lookup", tiny(n_ctx=64), False),
    "off": ("off", tiny(n_ctx=64), False),
    "a head of another model": ("on", tiny(arch="eagle3"), False),
    "lost": ("on", b"", False),
}


@pytest.mark.parametrize(("speculation", "draft", "is_used"), DRAFTS.values(), ids=DRAFTS)
def test_the_draft_model(tmp_path: Path, speculation: str, draft: bytes, is_used: bool) -> None:
    async def scene(w: World) -> None:
        digest = await w.upload(draft or tiny(n_ctx=32))
        await w.create("child", **{"from": "m"}, draft_files={"d.gguf": digest})
        path = w.library.blobs.path(Digest.parse(digest))
        if not draft:
            path.unlink()
        assert text_of(await w.generate("child", prompt="x")) == "four"
        await w.generate("m", prompt="x")
        (plan,) = w.launcher.plans
        assert plan.draft == (str(path) if is_used else "")

    play(tmp_path, scene, speculation=speculation)


def test_a_pool_is_never_larger_than_the_engine_can_count(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x", options={"num_ctx": 8192})
        assert w.launcher.plans[0].n_parallel == 2**31 // 8192

    play(tmp_path, scene, b"", num_parallel=10**18)


def test_the_models_own_parameters_count_too(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("small", parameters={"num_ctx": 512})
        await w.generate("small", prompt="x")
        await w.generate("small", prompt="x", options={"num_ctx": 1024})
        assert [plan.n_ctx for plan in w.launcher.plans] == [512, 1024]

    play(tmp_path, scene)


def test_sampling_options_do_not_reload(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x")
        await w.generate(prompt="x", options={"temperature": 0, "seed": 5, "stop": ["."]})
        await w.chat(messages=HI, shift=False)
        await w.chat(messages=HI, options={"num_ctx": 100})  # fits into what is there
        assert len(w.launcher.plans) == 1
        assert w.order.n_ctx == 100
        await w.generate(prompt="x", options={"num_ctx": 8000})
        assert [plan.n_ctx for plan in w.launcher.plans] == [4096, 8000]
        await w.generate(prompt="x")  # no wish: what is loaded will do
        assert (len(w.launcher.plans), w.order.n_ctx) == (2, 8000)

    play(tmp_path, scene)


SHIFTS: dict[str, tuple[str, bool | None, bool]] = {
    "by default": ("llama", None, True),
    "refused": ("llama", False, False),
    "a family whose cells cannot move": ("deepseek2", None, False),
    "and somebody who wants it all the same": ("deepseek2", True, True),
}


@pytest.mark.parametrize(("arch", "wish", "shifts"), SHIFTS.values(), ids=SHIFTS)
def test_whether_a_full_context_shifts(
    tmp_path: Path, arch: str, wish: bool | None, shifts: bool
) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x", shift=wish)
        assert w.order.shift is shifts

    play(tmp_path, scene, tiny(arch=arch))


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


# -- what goes wrong in an engine


def test_a_load_that_fails(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_launch(StartFailed("unknown model architecture"))
        assert await complaint(w.chat(messages=HI)) == (500, "unknown model architecture")
        assert text_of(await w.chat(messages=HI)) == "four"

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


# -- clients who leave


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


CACHES = {
    "quantised": ("q8_0", None, "q8_0"),
    "quantised, with flash attention": ("q4_0", True, "q4_0"),
    "quantised, without what it needs": ("q8_0", False, "f16"),
    "whole, without flash attention": ("f32", False, "f32"),
}


@pytest.mark.parametrize(("wanted", "flash", "used"), CACHES.values(), ids=CACHES)
def test_a_quantised_cache_needs_flash_attention(
    tmp_path: Path, wanted: str, flash: bool | None, used: str
) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x")
        (plan,) = w.launcher.plans
        assert (plan.kv_type, plan.flash_attention) == (used, flash)

    play(tmp_path, scene, kv_cache_type=wanted, flash_attention=flash)
