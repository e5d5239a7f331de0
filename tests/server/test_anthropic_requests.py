"""The chat that a request of the Anthropic API stands for, check by check of the compatibility
spec, 8.1, 8.3 and 9.7: its options, tools and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from puna.errors import BadRequest
from puna.server.anthropic.request import check, estimate_tokens, to_chat
from tests.server.anthropic import CALL, IMAGE, SCHEMA, chat, read, result, text

OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "what is left out stays the model's": ({}, {"num_predict": 5}),
    "X-1 a temperature of 0": ({"temperature": 0}, {"num_predict": 5, "temperature": 0.0}),
    "sampling": ({"top_p": 0.5, "top_k": 3}, {"num_predict": 5, "top_p": 0.5, "top_k": 3}),
    "stop words": ({"stop_sequences": ["\n"]}, {"num_predict": 5, "stop": ["\n"]}),
    "X-3 no stop words": ({"stop_sequences": []}, {"num_predict": 5}),
    "nothing to say, 9.7": ({"max_tokens": 0}, {"num_predict": 0}),
    "nulls": ({"temperature": None, "stop_sequences": None}, {"num_predict": 5}),
}


@pytest.mark.parametrize(("fields", "options"), OPTIONS.values(), ids=OPTIONS)
def test_options(fields: dict[str, Any], options: dict[str, Any]) -> None:
    assert chat(**fields).options == options


THINKING: dict[str, tuple[dict[str, Any], bool | str | None]] = {
    "AM-3 nothing": ({}, None),
    "enabled": ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, True),
    "disabled": ({"thinking": {"type": "disabled"}}, False),
    "adaptive": ({"thinking": {"type": "adaptive"}}, None),
    "adaptive, with an effort": (
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}},
        "medium",
    ),
    "effort": ({"output_config": {"effort": " High "}}, "high"),
    "xhigh": ({"output_config": {"effort": "xhigh"}}, "high"),
    "max": ({"output_config": {"effort": "max"}}, "max"),
    "an effort that nobody knows": ({"output_config": {"effort": "heroic"}}, None),
    "AM-2 enabled before effort": (
        {"thinking": {"type": "enabled"}, "output_config": {"effort": "low"}},
        True,
    ),
    "AM-2 disabled before effort": (
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
        False,
    ),
}


@pytest.mark.parametrize(("fields", "value"), THINKING.values(), ids=THINKING)
def test_thinking(fields: dict[str, Any], value: bool | str | None) -> None:
    order = chat(**fields)
    assert order.think_if_able
    assert (order.think.value if order.think else None) == value


BUDGETS: dict[str, tuple[dict[str, Any], int]] = {
    "none": ({}, 0),
    "of thoughts": ({"type": "enabled", "budget_tokens": 1024}, 1024),
    "without one": ({"type": "enabled"}, 0),
    "of no thoughts": ({"type": "disabled", "budget_tokens": 1024}, 0),
    "adaptive": ({"type": "adaptive", "budget_tokens": 1024}, 0),
    "below nothing": ({"type": "enabled", "budget_tokens": -5}, 0),
}


@pytest.mark.parametrize(("thinking", "budget"), BUDGETS.values(), ids=BUDGETS)
def test_budgets_of_thoughts(thinking: dict[str, Any], budget: int) -> None:
    assert chat(thinking=thinking or None).thinking_budget == budget


TOOL = {"name": "look", "description": "Look there", "input_schema": SCHEMA}
AS_FUNCTION = {
    "type": "function",
    "function": {"name": "look", "description": "Look there", "parameters": SCHEMA},
}


def test_tools_keep_their_schema() -> None:
    flags = {"strict": True, "defer_loading": True, "cache_control": {"type": "ephemeral"}}
    assert chat(tools=[TOOL | flags]).tools == [AS_FUNCTION]


def test_tools_of_the_api() -> None:
    tools = [
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "bash_1", "name": "bash"},
    ]
    names = [tool["function"]["name"] for tool in chat(tools=tools).tools]
    assert names == ["bash"]


def test_tool_choices() -> None:
    named = {"type": "function", "function": {"name": "look"}}
    for choice, expected in (
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "any"}, "required"),
        ({"type": "tool", "name": "look"}, named),
    ):
        order = chat(tools=[TOOL], tool_choice=choice)
        assert (order.tools, order.tool_choice) == ([AS_FUNCTION], expected)
        assert order.parallel_tool_calls is True
    once = {"type": "auto", "disable_parallel_tool_use": True}
    assert chat(tools=[TOOL], tool_choice=once).parallel_tool_calls is False


def test_the_answer_may_be_held_to_a_schema() -> None:
    form = {"type": "json_schema", "schema": SCHEMA}
    assert chat(output_config={"format": form}).format == SCHEMA
    assert chat(output_format=form).format == SCHEMA


TOLERATED = {
    "metadata": {"user_id": "u"},
    "service_tier": "auto",
    "container": "c",
    "context_management": {"edits": []},
    "mcp_servers": [],
    "inference_geo": "eu",
    "cache_control": {"type": "ephemeral"},
    "speed": "fast",
    "betas": ["b"],
}


@pytest.mark.parametrize("name", TOLERATED)
def test_fields_that_change_nothing(name: str) -> None:
    assert chat(**{name: TOLERATED[name]}) == chat()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": ""}, "model is required"),
    "no length": ({"max_tokens": None}, "max_tokens is required and must be positive"),
    "a negative length": ({"max_tokens": -1}, "max_tokens is required and must be positive"),
    "no messages": ({"messages": []}, "messages is required"),
    "model before length before messages": (
        {"model": "", "max_tokens": 0, "messages": []},
        "model is required",
    ),
    "a length that is text": ({"max_tokens": "10"}, "Expected `int | null`"),
    "metadata of another type": ({"metadata": "u"}, "Expected `object"),
    "content of another type": ({"messages": [{"role": "user", "content": 5}]}, "invalid message"),
    "content that is missing": ({"messages": [{"role": "user"}]}, "invalid message content"),
    "a block that is text": ({"messages": [{"role": "user", "content": ["a"]}]}, "invalid message"),
    "a choice that nobody knows": ({"tool_choice": {"type": "x"}}, 'invalid tool_choice "x"'),
    "a tool without a name": ({"tools": [{"input_schema": {}}]}, "a tool needs a name"),
    "another format": ({"output_format": {"type": "xml"}}, 'invalid output format "xml"'),
}

BAD_BLOCKS: dict[str, tuple[dict[str, Any], str]] = {
    "a call without an id": (CALL | {"id": ""}, "tool_use block missing required 'id' field"),
    "a call without a name": (CALL | {"name": ""}, "tool_use block missing required 'name' field"),
    "an image without a source": ({"type": "image"}, "invalid image source"),
    "an image at an address": (
        {"type": "image", "source": {"type": "url", "url": "http://x"}},
        "invalid image source type: url. Only base64 images are supported.",
    ),
    "an image that is no base64": (
        {"type": "image", "source": {"type": "base64", "data": "?"}},
        "invalid base64 image data: ",
    ),
    "a result with an image without a source": (
        result([{"type": "image"}]),
        "invalid tool_result image source",
    ),
    "a PDF": (
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": ""},
        },
        'files of type "application/pdf" are not supported, only texts in UTF-8: send their text',
    ),
}
BLOCK_REFUSALS = {
    name: ({"messages": [{"role": "user", "content": [block]}]}, words)
    for name, (block, words) in BAD_BLOCKS.items()
}
ALL_REFUSED = REFUSED | BLOCK_REFUSALS


@pytest.mark.parametrize(("fields", "words"), ALL_REFUSED.values(), ids=ALL_REFUSED)
def test_refusals(fields: dict[str, Any], words: str) -> None:
    def ask() -> None:
        order = read(**fields)
        check(order)
        to_chat(order)

    with pytest.raises(BadRequest) as refused:
        ask()
    assert words in str(refused.value)


ESTIMATES: dict[str, tuple[dict[str, Any], int]] = {
    "a little": ({}, 1),
    "text": ({"messages": [{"role": "user", "content": "x" * 396}]}, 100),
    "a system prompt": ({"system": "x" * 394}, 100),
    "blocks": ({"messages": [{"role": "user", "content": [text("x" * 396), IMAGE]}]}, 100),
}


@pytest.mark.parametrize(("fields", "tokens"), ESTIMATES.values(), ids=ESTIMATES)
def test_the_estimate_is_a_quarter_of_the_bytes(fields: dict[str, Any], tokens: int) -> None:
    assert estimate_tokens(read(**fields)) == tokens


def test_the_estimate_counts_calls_results_and_tools() -> None:
    said = [
        {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [result("x" * 99)]},
    ]
    assert estimate_tokens(read(messages=said)) > 25
    assert estimate_tokens(read(tools=[TOOL])) > estimate_tokens(read()) + 20
