"""How long a model may think before it has to answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from puna.api.events import Done
from puna.runner.protocol import Finished
from tests.service.test_layers import TOOLS
from tests.service.world import HI, World, play, text_of, thoughts_of, tiny

SCHEMA = {"type": "object"}
CALL = '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'


def end(reason: Any, count: int, prompt: int = 2, tokens: tuple[int, ...] = ()) -> Finished:
    """The end of one generation."""
    return Finished(
        reason=reason,
        prompt_tokens=prompt,
        cached_tokens=1,
        prompt_ns=10,
        eval_tokens=count,
        eval_ns=100,
        tokens=tokens,
    )


async def thinker(w: World) -> None:
    await w.install("m", tiny(), parser="qwen3-thinking")


async def asked(w: World, **fields: Any) -> tuple[str, str, Done]:
    """Thoughts, text and end of an answer."""
    events = await w.chat("m", messages=HI, think=True, **fields)
    done = events[-1]
    assert isinstance(done, Done)
    return thoughts_of(events), text_of(events), done


def test_thoughts_over_their_budget_are_closed_and_answered(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await thinker(w)
        w.launcher.will_say("h", "m", "m", end("length", 3, tokens=(7, 8, 9)))
        w.launcher.will_say("fo", "ur", end("stop", 2, prompt=9))
        told = await asked(w, thinking_budget=3, options={"num_predict": 20})
        first, second = w.launcher.orders
        assert (first.max_tokens, second.max_tokens) == (3, 17)
        assert (second.prefix, second.prompt.strip()) == ((7, 8, 9), "</think>")
        thoughts, text, done = told
        assert (thoughts.strip(), text) == ("hmm", "four")
        assert (done.reason, done.prompt_tokens, done.cached_tokens) == ("stop", 2, 1)
        assert (done.eval_tokens, done.prompt_ns, done.eval_ns) == (5, 10, 210)

    play(tmp_path, scene)


def test_an_answer_that_has_begun_goes_on(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await thinker(w)
        w.launcher.will_say("h", "</think>", "fo", end("length", 3, tokens=(7, 8, 9)))
        w.launcher.will_say("ur", end("stop", 1, prompt=9))
        thoughts, text, _ = await asked(w, thinking_budget=3)
        assert (thoughts, text) == ("h", "four")
        assert (w.order.prefix, w.order.prompt, w.order.max_tokens) == ((7, 8, 9), "", -1)

    play(tmp_path, scene)


def test_an_answer_within_the_budget_is_asked_for_once(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await thinker(w)
        w.launcher.will_say("h</think>four", end("stop", 2, tokens=(7, 8)))
        thoughts, text, done = await asked(w, thinking_budget=3)
        assert (thoughts, text, done.context) == ("h", "four", None)
        assert len(w.launcher.orders) == 1

    play(tmp_path, scene)


CUT = end("length", 3, tokens=(7, 8, 9))
ENDS: dict[str, list[tuple[str | Finished, ...]]] = {
    "before the limit": [("h</think>" + CALL, "no", CUT)],
    "at the limit": [("h</think>" + CALL, CUT)],
    "behind the limit": [("h", CUT), (CALL, "no", "more", end("stop", 3, prompt=9))],
}


@pytest.mark.parametrize("scripts", ENDS.values(), ids=ENDS)
def test_one_call_ends_an_answer_with_a_budget(
    tmp_path: Path, scripts: list[tuple[str | Finished, ...]]
) -> None:
    async def scene(w: World) -> None:
        await thinker(w)
        for script in scripts:
            w.launcher.will_say(*script)
        once: dict[str, Any] = {"tools": TOOLS, "parallel_tool_calls": False}
        thoughts, text, done = await asked(w, thinking_budget=3, **once)
        assert (thoughts.strip(), text, done.reason) == ("h", "", "stop")
        assert len(w.launcher.orders) == len(scripts)
        assert w.launcher.engines[-1].cancelled == 0

    play(tmp_path, scene)


UNBOUNDED: dict[str, dict[str, Any]] = {
    "no budget": {},
    "an answer that is shorter anyway": {"options": {"num_predict": 3}, "thinking_budget": 3},
    "an answer that is held to a form": {"format": SCHEMA, "thinking_budget": 3},
}


@pytest.mark.parametrize("fields", UNBOUNDED.values(), ids=UNBOUNDED)
def test_what_has_no_budget(tmp_path: Path, fields: dict[str, Any]) -> None:
    async def scene(w: World) -> None:
        await thinker(w)
        w.launcher.will_say("hmm</think>four")
        thoughts, text, _ = await asked(w, tools=TOOLS if not fields else [], **fields)
        assert (thoughts, text) == ("hmm", "four")
        assert w.order.max_tokens == fields.get("options", {}).get("num_predict", -1)
        assert len(w.launcher.orders) == 1

    play(tmp_path, scene)
