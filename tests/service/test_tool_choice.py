"""What a request says about calling tools, and what the engine is asked for because of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from puna.api.events import Done, ToolCalls
from puna.errors import InvalidField
from puna.service.tool_choice import read_tool_choice
from tests.prompt.walking import fits
from tests.service.test_layers import TOOLS_JINJA
from tests.service.world import HI, JINJA, World, complaint, play, text_of, thoughts_of, tiny

CALL = '<tool_call>\n{{"name": "{}", "arguments": {{"n": 1}}}}\n</tool_call>'
THINKING_TOOLS = TOOLS_JINJA + "{% if false %}<think></think>{% endif %}"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORCED = {"type": "function", "function": {"name": "b"}}


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": SCHEMA}}


TOOLS = [tool("a"), tool("b")]
CHOICES: list[tuple[object, list[str], bool]] = [
    (None, ["a", "b"], False),
    ("auto", ["a", "b"], False),
    ("none", [], False),
    ("required", ["a", "b"], True),
    ("any", ["a", "b"], True),
    (FORCED, ["b"], True),
    (
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool("b")]}},
        ["b"],
        False,
    ),
    (
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool("b")]}},
        ["b"],
        True,
    ),
]
REFUSED: dict[str, tuple[list[dict[str, Any]], object, str, str]] = {
    "no tools": ([], "required", "tool_choice", "there are no tools"),
    "another word": (TOOLS, "x", "tool_choice", "invalid tool_choice"),
    "another tool": ([tool("a")], FORCED, "tool_choice", "not in tools: b"),
    "no function": ([{"function": 5}], "required", "tools", "a name and a JSON Schema object"),
    "no schema": ([{"function": {"name": "a", "parameters": 5}}], "required", "tools", "a name"),
}


@pytest.mark.parametrize(("value", "names", "must_call"), CHOICES)
def test_choices(value: object, names: list[str], must_call: bool) -> None:
    choice = read_tool_choice(TOOLS, value)
    assert [each["function"]["name"] for each in choice.tools] == names
    assert choice.must_call is must_call


@pytest.mark.parametrize(("tools", "value", "param", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_choices(
    tools: list[dict[str, Any]], value: object, param: str, message: str
) -> None:
    with pytest.raises(InvalidField) as caught:
        read_tool_choice(tools, value)
    assert caught.value.param == param
    assert message in str(caught.value)


def test_a_forced_call_is_all_that_the_engine_may_say(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(template=TOOLS_JINJA))
        w.launcher.will_say(CALL.format("b"))
        events = await w.chat("m", messages=HI, tools=TOOLS, tool_choice=FORCED, format=SCHEMA)
        [[call]] = [each.calls for each in events if isinstance(each, ToolCalls)]
        assert (call.function.name, call.function.arguments) == ("b", {"n": 1})
        assert w.order.format == ""
        assert fits(w.order.outline, CALL.format("b"))
        assert not fits(w.order.outline, CALL.format("a"))
        assert not fits(w.order.outline, '{"n": 1}')
        await w.chat("m", messages=HI, tools=TOOLS, tool_choice="required")
        both = CALL.format("a") + "\n" + CALL.format("b")
        assert fits(w.order.outline, both)
        await w.chat(
            "m", messages=HI, tools=TOOLS, tool_choice="required", parallel_tool_calls=False
        )
        assert fits(w.order.outline, CALL.format("a"))
        assert not fits(w.order.outline, both)

    play(tmp_path, scene)


@pytest.mark.parametrize("template", [TOOLS_JINJA, THINKING_TOOLS], ids=["plain", "thinking"])
def test_a_forced_call_may_follow_the_beginning_of_an_answer(tmp_path: Path, template: str) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(template=template))
        w.launcher.will_say(CALL.format("b"))
        begun = [*HI, {"role": "assistant", "content": "I call b."}]
        events = await w.chat("m", messages=begun, tools=TOOLS, tool_choice=FORCED)
        [[call]] = [each.calls for each in events if isinstance(each, ToolCalls)]
        assert (call.function.name, call.function.arguments) == ("b", {"n": 1})
        assert text_of(events) == ""
        assert "I call b." in w.order.prompt
        assert fits(w.order.outline, CALL.format("b"))
        assert not fits(w.order.outline, CALL.format("a"))
        assert not fits(w.order.outline, " Or not.")

    play(tmp_path, scene)


def test_tools_that_may_not_be_called_are_not_shown(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(template=TOOLS_JINJA))
        await w.chat("m", messages=HI, tools=TOOLS, tool_choice="none")
        assert "tool_call" not in w.order.prompt
        assert (w.order.outline, w.order.visible) == ("", ())
        await w.chat("m", messages=HI, tools=TOOLS)
        assert "tool_call" in w.order.prompt
        assert w.order.outline == ""
        status, text = await complaint(w.chat("m", messages=HI, tool_choice="required"))
        assert (status, "there are no tools" in text) == (400, True)

    play(tmp_path, scene)


def test_an_answer_ends_with_its_first_call_where_one_is_wanted(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(template=TOOLS_JINJA))
        w.launcher.will_say("I ", CALL.format("a"), CALL.format("b"), "done", "and done")
        events = await w.chat("m", messages=HI, tools=TOOLS, parallel_tool_calls=False)
        called = [
            call.function.name for e in events if isinstance(e, ToolCalls) for call in e.calls
        ]
        assert called == ["a"]
        assert text_of(events) == "I"
        assert isinstance(events[-1], Done)
        assert (events[-1].reason, events[-1].eval_tokens) == ("stop", 2)
        assert w.launcher.engines[-1].cancelled == 0
        w.launcher.will_say(CALL.format("a"), CALL.format("b"), "done", "and done")
        events = await w.chat("m", messages=HI, tools=TOOLS)
        assert isinstance(events[-1], Done)
        assert events[-1].eval_tokens == 4

    play(tmp_path, scene)


def test_a_thought_before_a_held_answer_is_free(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(template=THINKING_TOOLS))
        w.launcher.will_say("<think>h", "m</think>", '\n{"n": 1}')
        events = await w.chat("m", messages=HI, format=SCHEMA)
        assert (thoughts_of(events), text_of(events)) == ("hm", '{"n": 1}')
        assert w.order.format
        assert fits(w.order.outline, "<think>hm</think>\n!")
        assert {"<think>", "</think>"} <= set(w.order.visible)
        await w.generate("m", prompt="x", format=SCHEMA)
        assert fits(w.order.outline, "<think>hm</think>\n!")
        await w.generate("m", prompt="x", format=SCHEMA, raw=True)
        assert w.order.outline == ""
        for fields in ({"think": False, "format": SCHEMA}, {"think": True}):
            await w.chat("m", messages=HI, **fields)
            assert w.order.outline == ""

    play(tmp_path, scene)


def test_with_tools_a_held_answer_may_be_a_call(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(template=THINKING_TOOLS))
        await w.chat("m", messages=HI, format=SCHEMA, tools=TOOLS)
        for text in ("!", "<think>hm</think>!", f"<think>hm</think>\n{CALL.format('a')}"):
            assert fits(w.order.outline, text)
        await w.chat("m", messages=HI, format=SCHEMA, tools=TOOLS, tool_choice="none")
        assert not fits(w.order.outline, CALL.format("a"))

    play(tmp_path, scene)


def test_a_parser_without_calls_cannot_be_forced(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(template=TOOLS_JINJA), parser="passthrough")
        asked = w.chat("m", messages=HI, tools=TOOLS, tool_choice="required")
        status, text = await complaint(asked)
        assert (status, "could be forced" in text) == (400, True)
        await w.install("n", tiny(template=JINJA))
        status, text = await complaint(w.chat("n", messages=HI, tools=TOOLS))
        assert (status, "does not support tools" in text) == (400, True)

    play(tmp_path, scene)
