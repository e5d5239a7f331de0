"""Requests of the OpenAI API as native ones. Check names are the compatibility spec's."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.api.decode import decode
from puna.api.openai import ChatCompletionRequest, CompletionRequest, EmbeddingRequest
from puna.api.requests import (
    ChatRequest,
    FunctionCall,
    GenerateRequest,
    Message,
    ToolCall,
)
from puna.errors import BadRequest
from puna.server.openai.orders import chat_orders, embed_order, generate_orders

USER = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {}}}
PIXEL = "data:image/png;base64,iVBO"


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": SCHEMA}}


def chat_all(body: dict[str, Any]) -> list[ChatRequest]:
    asked = decode(ChatCompletionRequest, json.dumps({"messages": [USER]} | body).encode())
    return chat_orders(asked)


def chat(**body: Any) -> ChatRequest:
    (order,) = chat_all(body)
    return order


def said(*messages: dict[str, Any]) -> list[Message]:
    return chat(messages=list(messages)).messages


def completion(**body: Any) -> list[GenerateRequest]:
    return generate_orders(decode(CompletionRequest, json.dumps(body).encode()))


DEFAULTS = {"temperature": 1.0, "top_p": 1.0}


@pytest.mark.parametrize(
    ("body", "options"),
    [
        pytest.param({}, {}, id="X-2"),
        pytest.param({"temperature": 0}, {"temperature": 0.0}, id="X-1"),
        pytest.param({"stop": "a"}, {"stop": ["a"]}, id="stop"),
        pytest.param({"stop": ["a", "b"]}, {"stop": ["a", "b"]}, id="X-3"),
        pytest.param({"stop": []}, {}, id="X-3 empty"),
        pytest.param({"stop": None}, {}, id="X-3 null"),
        pytest.param({"max_tokens": 0}, {"num_predict": 0}, id="X-4"),
        pytest.param({"max_tokens": -1}, {"num_predict": -1}, id="X-4 open"),
        ({"seed": 3, "presence_penalty": 1}, {"seed": 3, "presence_penalty": 1.0}),
        ({"logit_bias": {"5": -100}}, {"logit_bias": {"5": -100}}),
        ({"num_ctx": 99, "top_k": 1, "min_p": 0.5}, {"num_ctx": 99, "top_k": 1, "min_p": 0.5}),
        ({"repetition_penalty": 1.5}, {"repeat_penalty": 1.5}),
        ({"options": {"num_ctx": 9, "temperature": 0.5}}, {"num_ctx": 9, "temperature": 0.5}),
        ({"options": {"num_ctx": 9}, "num_ctx": 8}, {"num_ctx": 8}),
        ({"options": {"temperature": 0.5}, "temperature": 0}, {"temperature": 0.0}),
    ],
)
def test_options(body: dict[str, Any], options: dict[str, Any]) -> None:
    assert chat(**body).options == DEFAULTS | options
    assert completion(prompt="x", **body)[0].options == DEFAULTS | options


def test_max_completion_tokens_comes_first() -> None:
    assert chat(max_tokens=5, max_completion_tokens=7).options["num_predict"] == 7


def test_choices_of_one_seed_differ() -> None:
    orders = chat_all({"n": 3, "seed": 2**32 - 1})
    assert [order.options["seed"] for order in orders] == [2**32 - 1, 0, 1]


@pytest.mark.parametrize(
    ("body", "think"),
    [
        ({}, None),
        ({"reasoning_effort": ""}, None),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": "minimal"}, "low"),
        ({"reasoning_effort": "ultra"}, "max"),
        pytest.param({"reasoning_effort": "high", "reasoning": {}}, None, id="X-6"),
        ({"reasoning": {"effort": "medium"}}, "medium"),
        ({"think": True}, True),
        ({"chat_template_kwargs": {"enable_thinking": False}}, False),
        ({"response_format": {"type": "json_object"}}, None),
        ({"response_format": {"type": "json_object"}, "reasoning_effort": "low"}, "low"),
    ],
)
def test_thinking(body: dict[str, Any], think: bool | str | None) -> None:
    asked = chat(**body).think
    assert (None if asked is None else asked.value) == think


@pytest.mark.parametrize(
    ("value", "format"),
    [
        ({"type": "json_object"}, "json"),
        ({"type": " JSON_Object "}, "json"),
        ({"type": "json_object", "schema": SCHEMA}, SCHEMA),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, SCHEMA),
        ({"type": "json_schema"}, None),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, None),
        ({"type": "text"}, None),
        ({"type": "else"}, None),
        ({"type": 5}, None),
    ],
)
def test_formats(value: object, format: object) -> None:
    assert chat(response_format=value).format == format


def test_a_message_stays_one_message() -> None:
    """CC-1."""
    parts = [
        {"type": "text", "text": "Hello"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
        {"type": "image_url", "image_url": "data:;base64,AAAA"},
        {"type": "text", "text": "there"},
    ]
    (message,) = said({"role": "User", "content": parts})
    assert (message.role, message.content) == ("user", "Hello\nthere")
    assert message.images == [b"\x89PN", b"\0\0\0"]


def test_roles() -> None:
    roles = ["developer", "SYSTEM", "function", "critic"]
    told = said(*({"role": role, "content": "x"} for role in roles))
    assert [message.role for message in told] == ["system", "system", "tool", "critic"]


def test_a_message_of_no_parts_is_none() -> None:
    """CC-4"""
    assert said({"role": "user", "content": []}) == []


def test_the_traffic_of_tools() -> None:
    """CC-2, CC-3, CC-5, CC-6; of two calls with one id the last counts."""

    def call(name: str, arguments: str) -> dict[str, Any]:
        return {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}

    asking, again, empty, nothing, text, parts = said(
        {"role": "assistant", "content": None, "tool_calls": [call("old", "")]},
        {"role": "assistant", "content": [], "tool_calls": [call("add", '{"a": 1}')]},
        {"role": "assistant", "content": None, "tool_calls": [], "reasoning": "hm"},
        {"role": "assistant", "content": None, "refusal": "no"},
        {"role": "tool", "content": "2", "tool_call_id": "c"},
        {"role": "tool", "content": [{"type": "text", "text": "2"}], "tool_call_id": "c"},
    )
    assert (asking.tool_calls[0].function.arguments, asking.tool_calls[0].id) == ({}, "c")
    assert (again.content, again.tool_calls[0].function.arguments) == ("", {"a": 1})
    assert (empty.content, empty.thinking) == ("", "hm")
    assert (nothing.content, nothing.role) == ("", "assistant")
    assert (text.content, text.tool_name, text.tool_call_id) == ("2", "add", "c")
    assert (parts.content, parts.tool_name, parts.tool_call_id) == ("2", "add", "c")


def content(value: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": value}]}


def part(**fields: object) -> dict[str, Any]:
    return content([fields])


def image(url: str) -> dict[str, Any]:
    return part(type="image_url", image_url={"url": url})


def replayed(arguments: str) -> dict[str, Any]:
    call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
    return {"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]}


REFUSED = [
    ({"functions": [{"name": "a"}], "function_call": "maybe"}, "function_call", "function_call"),
    pytest.param({"messages": []}, "messages", "[] is too short - 'messages'", id="2.1"),
    pytest.param(content(2), "messages.0.content", "type: float64", id="CC-7"),
    pytest.param(content(None), "messages.0.content", "type: <nil>", id="CC-5"),
    pytest.param(content(True), "messages.0.content", "type: bool", id="bool"),
    pytest.param(content({}), "messages.0.content", "type: map[string]interface {}", id="object"),
    pytest.param(content(["x"]), "messages.0.content", "invalid message format", id="no part"),
    pytest.param(part(type="text"), "messages.0.content", "invalid message format", id="no text"),
    pytest.param(part(type="file"), "messages.0.content", "send file_data", id="file"),
    pytest.param(part(type="input_audio"), "messages.0.content", "input_audio format", id="audio"),
    pytest.param(
        part(type="input_audio", input_audio={"format": "wav"}),
        "messages.0.content",
        "invalid input_audio format: missing data",
        id="audio without data",
    ),
    pytest.param(
        part(type="input_audio", input_audio={"data": "!", "format": "wav"}),
        "messages.0.content",
        "invalid input_audio base64 data: ",
        id="audio that is no base64",
    ),
    pytest.param(image("https://x/y.png"), "messages.0.content", "image URLs are not", id="2.3"),
    pytest.param(
        image("data:image/gif;base64,AAAA"), "messages.0.content", "invalid image input", id="gif"
    ),
    pytest.param(image(PIXEL + "!"), "messages.0.content", "invalid image input", id="base64"),
    pytest.param(replayed("{"), "messages.0.tool_calls", "invalid tool call arguments", id="call"),
    pytest.param(replayed("[]"), "messages.0.tool_calls", "invalid tool call arguments", id="list"),
    pytest.param({"reasoning_effort": "Low"}, "reasoning_effort", '"Low"', id="1.7"),
    pytest.param({"reasoning": {"effort": "x"}}, "reasoning.effort", '"x"', id="1.7 object"),
    pytest.param({"n": 0}, "n", "between 1 and 128", id="n"),
    pytest.param({"n": 129}, "n", "between 1 and 128", id="many"),
    pytest.param({"modalities": ["audio"]}, "modalities", "text only", id="speech"),
    pytest.param({"temperature": "hot"}, "temperature", "float", id="type"),
    pytest.param({"max_tokens": "10"}, "max_tokens", "int", id="text for a number"),
    pytest.param({"max_tokens": 10.0}, "max_tokens", "int", id="float for a number"),
]


@pytest.mark.parametrize(("body", "param", "message"), REFUSED)
def test_refused_chats(body: dict[str, Any], param: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        chat_all(body)
    assert caught.value.param == param
    assert message in str(caught.value)


def test_tools_and_which_of_them_are_called() -> None:
    named = {"type": "function", "function": {"name": "b"}}
    order = chat(tools=[tool("a"), tool("b")], tool_choice=named, parallel_tool_calls=False)
    assert order.tools == [tool("a"), tool("b")]
    assert (order.tool_choice, order.parallel_tool_calls) == (named, False)
    assert (chat().tool_choice, chat().parallel_tool_calls) == (None, True)


NAMED = {"type": "function", "function": {"name": "b"}}
FUNCTION_CALLS = [(None, None), ("none", "none"), ("auto", "auto"), ({"name": "b"}, NAMED)]


@pytest.mark.parametrize(("wanted", "choice"), FUNCTION_CALLS)
def test_functions_are_tools_in_an_older_form(wanted: object, choice: object) -> None:
    functions = [tool("a")["function"], tool("b")["function"]]
    order = chat(functions=functions, function_call=wanted)
    assert order.tools == [tool("a"), tool("b")]
    assert (order.tool_choice, order.parallel_tool_calls) == (choice, False)


def test_the_traffic_of_functions() -> None:
    called = {"name": "add", "arguments": '{"a":1}'}
    call, result = said(
        {"role": "assistant", "content": None, "function_call": called},
        {"role": "function", "name": "add", "content": "2"},
    )
    assert call.tool_calls == [ToolCall(function=FunctionCall(name="add", arguments={"a": 1}))]
    assert (result.role, result.tool_name, result.content) == ("tool", "add", "2")


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", ["a"]),
        ("", [""]),
        (None, [""]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
    ],
)
def test_prompts(prompt: object, prompts: list[object]) -> None:
    orders = completion(prompt=prompt)
    assert [order.tokens or order.prompt for order in orders] == prompts
    assert [order.raw for order in orders] == [isinstance(each, list) for each in prompts]
    assert all(order.think is not None and order.think.value is False for order in orders)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        pytest.param({"stop": [1, 2]}, "stop", id="CP-5"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": [["a"]]}, "prompt"),
        ({"prompt": {}}, "prompt"),
        ({"prompt": ["a"] * 65, "n": 2}, "n"),
        ({"n": -1}, "n"),
        ({"best_of": 2}, "best_of"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"prompt": [1], "echo": True}, "echo"),
    ],
)
def test_refused_completions(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        completion(**{"prompt": "a"} | body)
    assert caught.value.param == param


def test_a_chat_drops_stop_words_that_are_none() -> None:
    """CP-5."""
    assert chat(stop=[1, "a"]).options["stop"] == ["a"]


KEYS = [
    *("messages", "tools", "tool_choice", "response_format", "stop", "n", "prompt", "input"),
    *("reasoning", "logit_bias", "stream_options", "chat_template_kwargs", "modalities", "echo"),
]
WORDS = [
    *("role", "content", "type", "text", "image_url", "url", "tool_calls", "function", "name"),
    *("arguments", "parameters", "required", "json_schema", "schema", "allowed_tools", "mode"),
    *("user", "assistant", "json_object", "effort", "none", "auto", PIXEL),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(0, 2) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)


GUIDES = [
    ({"guided_json": SCHEMA}, (SCHEMA, "", "")),
    ({"guided_json": json.dumps(SCHEMA)}, (SCHEMA, "", "")),
    ({"json_schema": SCHEMA}, (SCHEMA, "", "")),
    ({"structured_outputs": {"json": SCHEMA}}, (SCHEMA, "", "")),
    ({"guided_regex": "[ab]"}, (None, "", "[ab]")),
    ({"structured_outputs": {"regex": "[ab]"}}, (None, "", "[ab]")),
    ({"guided_grammar": "root ::= x"}, (None, "root ::= x", "")),
    ({"guided_choice": ["a.b", "c d"]}, (None, "", r"a\.b|c d")),
    ({"structured_outputs": {"choice": ["yes", "(no)"]}}, (None, "", r"yes|\(no\)")),
    ({"guided_json": {"a": 1}, "response_format": {"type": "json_object"}}, ("json", "", "")),
]


@pytest.mark.parametrize(("body", "expected"), GUIDES)
def test_guides_of_other_servers(body: dict[str, Any], expected: tuple[Any, str, str]) -> None:
    """9.2"""
    order = chat(**body)
    assert (order.format, order.grammar, order.regex) == expected
    if "response_format" not in body:
        (other,) = completion(prompt="x", **body)
        assert (other.format, other.grammar, other.regex) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"guided_json": "{"},
        {"guided_json": 5},
        {"structured_outputs": {"regex": 5}},
        {"structured_outputs": {"choice": "ab"}},
    ],
)
def test_guides_that_are_none(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        chat(**body)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
def test_whatever_is_asked_is_understood_or_refused(body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    with suppress(BadRequest):
        chat_all(body)
    with suppress(BadRequest):
        completion(**body)
    with suppress(BadRequest):
        embed_order(decode(EmbeddingRequest, raw))
