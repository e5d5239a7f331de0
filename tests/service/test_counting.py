"""Counting a chat's tokens, and what other APIs ask of a chat beyond the native one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from puna.api.decode import read_value
from puna.api.events import Done
from puna.api.requests import ChatRequest
from puna.errors import BadRequest, ModelNotFound
from puna.runner.protocol import Finished
from tests.service.world import World, play

HI = [{"role": "user", "content": "hi"}]


async def counted(w: World, model: str = "m", **fields: Any) -> int:
    order = read_value(ChatRequest, {"model": model, "messages": HI} | fields)
    return await w.inference.count_tokens(order)


def test_a_chat_is_counted_as_it_would_be_read(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install()
        for messages in (HI, [{"role": "system", "content": "Be kind."}, *HI]):
            count = await counted(w, messages=messages)
            done = (await w.chat(messages=messages))[-1]
            assert isinstance(done, Done)
            assert count == done.prompt_tokens > 2

    play(tmp_path, scene)


def test_nothing_is_left_out_of_what_is_counted(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install()
        messages = [{"role": "user", "content": "x" * 50} for _ in range(20)]
        assert await counted(w, messages=messages, options={"num_ctx": 100}) > 1000

    play(tmp_path, scene)


def test_what_cannot_be_asked_cannot_be_counted(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install()
        with pytest.raises(ModelNotFound):
            await counted(w, "other")
        with pytest.raises(BadRequest, match="does not support tools"):
            await counted(w, tools=[{"type": "function", "function": {"name": "f"}}])

    play(tmp_path, scene)


def test_a_wish_to_think_can_be_one_that_is_dropped(tmp_path: Path) -> None:
    """AM-1"""

    async def scene(w: World) -> None:
        await w.install()
        with pytest.raises(BadRequest, match="does not support thinking"):
            await w.chat(messages=HI, think=True)
        events = await w.chat(messages=HI, think=True, _think_if_able=True)
        assert isinstance(events[-1], Done)

    play(tmp_path, scene)


def test_the_stop_word_that_ended_an_answer_is_told(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install()
        end = Finished(
            reason="stop", prompt_tokens=1, prompt_ns=1, eval_tokens=1, eval_ns=1, stop="\n"
        )
        w.launcher.will_say("x", end)
        done = (await w.chat(messages=HI, options={"stop": ["\n"]}))[-1]
        assert isinstance(done, Done)
        assert done.stop == "\n"

    play(tmp_path, scene)
