"""From a request to a prompt and from an engine's pieces to events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from puna.api.events import Content, Done, Logprob, Rendered, Thinking
from puna.runner.protocol import Finished, Piece, Sampling
from tests.service.world import (
    HI,
    JINJA,
    THINKING_JINJA,
    World,
    ending,
    play,
    rendered,
    text_of,
    thoughts_of,
    tiny,
)

SYSTEM = {"role": "system", "content": "S"}
USER = {"role": "user", "content": "U"}
ANSWER = {"role": "assistant", "content": "A"}
STORED = [{"role": "user", "content": "before"}, {"role": "assistant", "content": "then"}]

# -- prompts

CHATS: dict[str, tuple[dict[str, Any], list[dict[str, str]], str]] = {
    "a question": ({}, [USER], "[user]U"),
    "a talk": ({}, [USER, ANSWER, USER], "[user]U[assistant]A[user]U"),
    "the model's system": ({"system": "M"}, [USER], "[system]M[user]U"),
    "the request's system": ({"system": "M"}, [SYSTEM, USER], "[system]S[user]U"),
    "a later system is no first one": (
        {"system": "M"},
        [USER, SYSTEM],
        "[system]M[user]U[system]S",
    ),
    "roles in capitals": (
        {"system": "M"},
        [{"role": "SYSTEM", "content": "S"}, {"role": "User", "content": "U"}],
        "[system]S[user]U",
    ),
    "stored messages": ({"messages": STORED}, [USER], "[user]before[assistant]then[user]U"),
    "all of it": (
        {"system": "M", "messages": STORED},
        [USER],
        "[system]M[user]before[assistant]then[user]U",
    ),
    "stored messages stay with a request's system": (
        {"system": "M", "messages": STORED},
        [SYSTEM, USER],
        "[user]before[assistant]then[system]S[user]U",
    ),
}


@pytest.mark.parametrize(("model", "messages", "prompt"), CHATS.values(), ids=CHATS)
def test_chat_prompts(
    tmp_path: Path, model: dict[str, Any], messages: list[dict[str, str]], prompt: str
) -> None:
    async def scene(w: World) -> None:
        await w.create("other", **{"from": "m"}, **model)
        assert rendered(await w.chat("other", messages=messages, _debug_render_only=True)) == prompt
        await w.chat("other", messages=messages)
        assert w.prompts == [prompt]

    play(tmp_path, scene)


GENERATES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a prompt": ({}, {}, "[user]U"),
    "the model's system": ({"system": "M"}, {}, "[system]M[user]U"),
    "the request's system": ({"system": "M"}, {"system": "S"}, "[system]S[user]U"),
    "an empty system": ({"system": "M"}, {"system": ""}, "[system]M[user]U"),
    "stored messages": ({"messages": STORED}, {}, "[user]before[assistant]then[user]U"),
    "context instead of them": ({"messages": STORED}, {"context": [65]}, "[user]U"),
    "even an empty one": ({"messages": STORED, "system": "M"}, {"context": []}, "[system]M[user]U"),
    "raw": ({"system": "M", "messages": STORED}, {"raw": True}, "U"),
}


@pytest.mark.parametrize(("model", "fields", "prompt"), GENERATES.values(), ids=GENERATES)
def test_generate_prompts(
    tmp_path: Path, model: dict[str, Any], fields: dict[str, Any], prompt: str
) -> None:
    async def scene(w: World) -> None:
        await w.create("other", **{"from": "m"}, **model)
        shown = await w.generate("other", prompt="U", **fields, _debug_render_only=True)
        assert shown == [Rendered(prompt)]
        assert len(w.launcher.plans) == 1  # it is loaded for that, all the same
        await w.generate("other", prompt="U", **fields)
        assert w.prompts == [prompt]
        assert w.order.prefix == tuple(fields.get("context", ()))

    play(tmp_path, scene)


def test_without_any_template_the_prompt_is_bare(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="Once")
        await w.chat(messages=[USER, ANSWER, {"role": "user", "content": "V"}])
        assert w.prompts == ["Once", "UAV"]

    play(tmp_path, scene, tiny())


def test_the_bare_template_may_be_written_down(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("bare", tiny(), template="{{ .Prompt }}")
        await w.generate("bare", prompt="Once")
        assert w.prompts == ["Once"]

    play(tmp_path, scene)


def test_the_oldest_messages_go_where_they_do_not_fit(tmp_path: Path) -> None:
    long = [{"role": "user", "content": f"{number}" * 30} for number in range(5)]

    async def scene(w: World) -> None:
        options = {"num_ctx": 100}
        await w.chat(messages=[SYSTEM, *long], options=options)
        await w.chat(messages=[SYSTEM, *long], options=options, truncate=False)
        short, whole = w.prompts
        assert short == f"[system]S[user]{'3' * 30}[user]{'4' * 30}"
        assert whole == "[system]S" + "".join(f"[user]{m['content']}" for m in long)
        assert [order.truncate for order in w.launcher.orders] == [True, False]

    play(tmp_path, scene)


LOSSES: dict[str, tuple[dict[str, Any], bool, bool]] = {
    "nothing": ({}, False, False),
    "messages": ({"options": {"num_ctx": 100}}, False, True),
    "tokens": ({}, True, True),
    "both": ({"options": {"num_ctx": 100}}, True, True),
    "a loss that was not allowed": ({"options": {"num_ctx": 100}, "truncate": False}, False, False),
}


@pytest.mark.parametrize(("fields", "by_engine", "told"), LOSSES.values(), ids=LOSSES)
def test_every_loss_is_told(
    tmp_path: Path, fields: dict[str, Any], *, by_engine: bool, told: bool
) -> None:
    end = Finished(
        reason="stop", prompt_tokens=1, prompt_ns=1, eval_tokens=1, eval_ns=1, truncated=by_engine
    )

    async def scene(w: World) -> None:
        w.launcher.will_say("x", end)
        messages = [{"role": "user", "content": f"{number}" * 30} for number in range(5)]
        done = (await w.chat(messages=messages, **fields))[-1]
        assert isinstance(done, Done)
        assert done.truncated is told

    play(tmp_path, scene)


# -- what the engine is asked for

ORDERS: dict[str, tuple[dict[str, Any], dict[str, object]]] = {
    "by default": (
        {},
        {
            "sampling": Sampling(),
            "max_tokens": -1,
            "n_keep": 4,
            "stop": (),
            "format": "",
            "truncate": True,
            "shift": True,
            "top_logprobs": None,
        },
    ),
    "stop words": ({"options": {"stop": ["a", "b"]}}, {"stop": ("a", "b")}),
    "guesses": ({"options": {"draft_num_predict": 3}}, {"most_drafted": 3}),
    "no guesses": ({"options": {"draft_num_predict": -2}}, {"most_drafted": 0}),
    "guesses as they pay": ({}, {"most_drafted": -1}),
    "a limit": ({"options": {"num_predict": 7.9, "num_keep": -1}}, {"max_tokens": 7, "n_keep": -1}),
    "json": ({"format": "json"}, {"format": '"json"'}),
    "no format": ({"format": ""}, {"format": ""}),
    "null format": ({"format": None}, {"format": ""}),
    "any schema": ({"format": {}}, {"format": "{}"}),
    "a grammar": ({"grammar": "root ::= x"}, {"grammar": "root ::= x", "format": ""}),
    "a regex": ({"regex": "x+", "format": ""}, {"regex": "x+", "format": ""}),
    "biases and mirostat": (
        {"options": {"logit_bias": {"7": -100}, "mirostat": 2, "mirostat_eta": 0.2}},
        {"sampling": Sampling(logit_bias=((7, -100.0),), mirostat=2, mirostat_eta=0.2)},
    ),
    "no shift": ({"shift": False}, {"shift": False}),
    "null shift": ({"shift": None, "truncate": None}, {"shift": True, "truncate": True}),
    "logprobs": ({"logprobs": True}, {"top_logprobs": 0}),
    "five of them": ({"logprobs": True, "top_logprobs": 5}, {"top_logprobs": 5}),
    "five of none": ({"top_logprobs": 5}, {"top_logprobs": None}),
}


@pytest.mark.parametrize(("fields", "expected"), ORDERS.values(), ids=ORDERS)
def test_orders(tmp_path: Path, fields: dict[str, Any], expected: dict[str, object]) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x", **fields)
        await w.chat(messages=HI, **fields)
        for order in w.launcher.orders:
            assert {name: getattr(order, name) for name in expected} == expected

    play(tmp_path, scene)


def test_a_schema_keeps_the_order_of_its_keys(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "number"}}}

    async def scene(w: World) -> None:
        await w.chat(messages=HI, format=schema)
        assert json.loads(w.order.format) == schema
        assert w.order.format.index('"z"') < w.order.format.index('"a"')

    play(tmp_path, scene)


def test_options_of_the_model_and_of_the_request(tmp_path: Path) -> None:
    mine = {"temperature": 1, "top_k": 10, "stop": ["a", "b"], "num_ctx": 2048}
    yours = {"temperature": 0, "stop": ["c"], "seed": 42, "min_p": None}

    async def scene(w: World) -> None:
        await w.create("other", **{"from": "m"}, parameters=mine)
        await w.generate("other", prompt="x", options=yours)
        await w.generate("other", prompt="x")
        first, second = w.launcher.orders
        assert first.sampling == Sampling(temperature=0.0, top_k=10, seed=42)
        assert second.sampling == Sampling(temperature=1.0, top_k=10)
        assert (first.stop, second.stop) == (("c",), ("a", "b"))

    play(tmp_path, scene)


def test_some_families_do_not_shift(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x")
        await w.generate(prompt="x", shift=True)
        assert [order.shift for order in w.launcher.orders] == [False, True]

    play(tmp_path, scene, tiny(arch="deepseek2", template=JINJA))


# -- answers


def test_an_answer_piece_by_piece(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        entry = Logprob(token="a", logprob=-0.5, bytes=(97,))
        end = Finished(reason="length", prompt_tokens=9, prompt_ns=1, eval_tokens=2, eval_ns=3)
        w.launcher.will_say(Piece("a", (entry,)), "b", end)
        assert await w.chat(messages=HI, logprobs=True) == [
            Content("a", (entry,)),
            Content("b"),
            Done("length", prompt_tokens=9, prompt_ns=1, eval_tokens=2, eval_ns=3),
        ]

    play(tmp_path, scene)


def test_generate_returns_its_context_but_raw_and_chat_do_not(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        context = ending(await w.generate(prompt="x")).context
        assert context == tuple(b"[user]xfour")
        again = await w.generate(prompt="y", context=list(context))
        assert ending(again).context == (*context, *b"[user]yfour")
        assert ending(await w.generate(prompt="x", raw=True)).context is None
        assert ending(await w.chat(messages=HI)).context is None

    play(tmp_path, scene)


THOUGHTS: dict[str, tuple[list[str], dict[str, Any], str, str]] = {
    "by default": (["<think>", "\nhm", "</think>", "\n\n4"], {}, "hm", "4"),
    "asked for": (["<think>hm</think>4"], {"think": True}, "hm", "4"),
    "by level": (["<thi", "nk>h", "m</th", "ink> ", "4"], {"think": "low"}, "hm", "4"),
    "declined": (["<think>hm</think>4"], {"think": False}, "", "<think>hm</think>4"),
    "none came": (["4"], {}, "", "4"),
    "never closed": (["<think>", "hm"], {}, "hm", ""),
    "a stray bracket": (["<thi", "s is it"], {}, "", "<this is it"),
}


@pytest.mark.parametrize(("said", "fields", "thoughts", "text"), THOUGHTS.values(), ids=THOUGHTS)
def test_thinking_is_kept_apart(
    tmp_path: Path, said: list[str], fields: dict[str, Any], thoughts: str, text: str
) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_say(*said)
        events = await w.chat(messages=HI, **fields)
        assert (thoughts_of(events), text_of(events)) == (thoughts, text)
        assert all(event.text for event in events if isinstance(event, Content | Thinking))

    play(tmp_path, scene, tiny(template=THINKING_JINJA))


def test_raw_output_stays_as_it_is(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_say("<think>hm</think>4")
        assert text_of(await w.generate(prompt="x", raw=True)) == "<think>hm</think>4"

    play(tmp_path, scene, tiny(template=THINKING_JINJA))


def test_a_prompt_that_opens_the_thoughts(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_say("hm", "</think>", "4")
        events = await w.chat(messages=HI)
        assert (thoughts_of(events), text_of(events)) == ("hm", "4")

    play(tmp_path, scene, tiny(template=JINJA + "<think>\n{% if false %}</think>{% endif %}"))


WISHES: dict[str, tuple[object, str]] = {
    "absent": (None, "True"),
    "yes": (True, "True"),
    "no": (False, "False"),
    "a level": ("high", "True high"),
}


@pytest.mark.parametrize(("think", "prompt"), WISHES.values(), ids=WISHES)
def test_the_template_learns_the_wish(tmp_path: Path, think: object, prompt: str) -> None:
    async def scene(w: World) -> None:
        events = await w.chat(messages=HI, think=think, _debug_render_only=True)
        assert rendered(events).strip() == prompt

    template = (
        "{{ enable_thinking }} {{ reasoning_effort }}{% if false %}<think></think>{% endif %}"
    )
    play(tmp_path, scene, tiny(template=template))


@pytest.mark.parametrize(("arch", "kept"), [("qwen3", False), ("llama", True)])
def test_old_thoughts_are_forgotten_by_some(tmp_path: Path, arch: str, kept: bool) -> None:
    old = {"role": "assistant", "content": "<think>hm</think>A"}

    async def scene(w: World) -> None:
        events = await w.chat(messages=[USER, old, USER], _debug_render_only=True)
        expected = old["content"] if kept else "A"
        assert rendered(events) == f"[user]U[assistant]{expected}[user]U"

    play(tmp_path, scene, tiny(arch=arch, template=THINKING_JINJA))


def test_the_markers_of_the_engine_reach_the_template(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert rendered(await w.chat(messages=HI, _debug_render_only=True)) == "<s>hi</s>"

    template = "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"
    play(tmp_path, scene, tiny(template=template))
