"""Requests of /v1/responses as chats. Check names are the compatibility spec's."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from puna.api.events import Done, Event
from puna.api.requests import ChatRequest, Message
from puna.service.tool_choice import read_tool_choice
from tests.fakes.asgi import Call
from tests.server.scripted import client, run

PATH = "/v1/responses"


def post(body: dict[str, Any]) -> tuple[Call, list[ChatRequest]]:
    """The answer, and the orders that reached the service."""
    orders: list[ChatRequest] = []

    async def chat(order: ChatRequest) -> AsyncGenerator[Event, None]:
        orders.append(order)
        yield Done("stop")

    return run(client(chat=chat).request("POST", PATH, {"model": "m"} | body)), orders


def order(**body: Any) -> ChatRequest:
    reply, orders = post(body)
    assert reply.status == 200, reply.body
    return orders[0]


def told(*items: dict[str, Any]) -> list[tuple[str, str, str, list[str]]]:
    """Role, content, thoughts and called functions of each message."""
    return [
        (each.role, each.content, each.thinking, [call.function.name for call in each.tool_calls])
        for each in order(input=list(items)).messages
    ]


def says(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def calls(name: str, arguments: str = "{}") -> dict[str, Any]:
    return {"type": "function_call", "call_id": name, "name": name, "arguments": arguments}


def results(name: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": name, "output": "ok"}


def thinks(text: str) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [], "encrypted_content": text}


ITEMS = [
    pytest.param(
        [says("assistant", "A"), calls("f"), calls("g")],
        [("assistant", "A", "", ["f", "g"])],
        id="RS-3",
    ),
    pytest.param(
        [says("assistant", "A"), calls("f"), calls("g"), says("assistant", "B"), calls("h")],
        [("assistant", "A", "", ["f", "g"]), ("assistant", "B", "", ["h"])],
        id="RS-4",
    ),
    pytest.param(
        [says("assistant", "A"), calls("f"), says("assistant", "B"), results("f")],
        [("assistant", "A\nB", "", ["f"]), ("tool", "ok", "", [])],
        id="RS-5",
    ),
    pytest.param(
        [thinks("hm"), says("assistant", "A")], [("assistant", "A", "hm", [])], id="RS-6 message"
    ),
    pytest.param([thinks("hm"), calls("f")], [("assistant", "", "hm", ["f"])], id="RS-6 call"),
    pytest.param([thinks("hm")], [("assistant", "", "hm", [])], id="RS-6 trailing"),
    pytest.param(
        [thinks("a"), thinks("b"), says("assistant", "A")],
        [("assistant", "A", "b", [])],
        id="RS-6 twice",
    ),
    pytest.param(
        [{"type": "reasoning", "summary": []}, says("assistant", "A")],
        [("assistant", "A", "", [])],
        id="RS-7",
    ),
    pytest.param(
        [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            says("assistant", "A"),
        ],
        [("assistant", "A", "hm", [])],
        id="9.6 summary",
    ),
    pytest.param(
        [thinks("gAAAAABo" + "x" * 50), says("assistant", "A")],
        [("assistant", "A", "", [])],
        id="9.6 sealed by others",
    ),
    pytest.param([says("developer", "A")], [("system", "A", "", [])], id="RS-8"),
    pytest.param(
        [{"type": "compaction", "x": 1}, {"type": "new"}, says("user", "A")],
        [("user", "A", "", [])],
        id="9.6 unknown items",
    ),
    pytest.param(
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "A"},
                    {"type": "output_text", "text": "B"},
                    {"type": "refusal", "refusal": "C"},
                    {"type": "input_image", "file_id": "f"},
                    {
                        "type": "input_file",
                        "filename": "a.txt",
                        "file_data": "data:text/plain;base64,RA==",
                    },
                ],
            }
        ],
        [("user", "ABCa.txt\nD\n", "", [])],
        id="6.2 parts",
    ),
    pytest.param(
        [
            {"type": "custom_tool_call", "call_id": "c", "name": "p", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "done"},
        ],
        [("assistant", "", "", ["p"]), ("tool", "done", "", [])],
        id="9.6 custom tools",
    ),
]


@pytest.mark.parametrize(("items", "expected"), ITEMS)
def test_items(items: list[dict[str, Any]], expected: list[Any]) -> None:
    assert told(*items) == expected


def test_results_know_their_call() -> None:
    _, result = order(input=[calls("f", '{"a": 1}'), results("f")]).messages
    assert (result.tool_name, result.tool_call_id) == ("f", "f")


def test_images_are_read() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}
    items: list[Any] = [
        {"role": "user", "content": [image]},
        calls("f"),
        {"type": "function_call_output", "call_id": "f", "output": [image]},
    ]
    user, _, result = order(input=items).messages
    assert user.images == result.images == [b"\0\0\0"]


def test_a_text_is_a_message_and_instructions_come_first() -> None:
    messages = order(input="Hi", instructions="Be brief.").messages
    assert messages == [
        Message(role="system", content="Be brief."),
        Message(role="user", content="Hi"),
    ]
    listed = order(input="Hi", instructions=[says("developer", "A"), says("user", "B")])
    assert listed.messages[0].content == "A\nB"


def test_without_anything_the_model_is_loaded() -> None:
    """RS-2."""
    assert order().messages == []


FUNCTION = {"type": "function", "name": "add", "description": "Add", "parameters": {"a": 1}}
SHOWN = {"type": "function", "function": {k: v for k, v in FUNCTION.items() if k != "type"}}


def test_tools_are_functions() -> None:
    """RS-9: nothing is searched for here, so that a client's own `web_search` stays."""
    asked = order(
        input="Hi",
        tools=[
            FUNCTION,
            {"type": "namespace", "name": "n", "tools": [FUNCTION, FUNCTION | {"name": "n.sub"}]},
            {"type": "web_search"},
            FUNCTION | {"name": "web_search"},
            {"type": "mcp", "server_label": "x"},
            {"type": "custom", "name": "p", "format": {"type": "text"}},
            {"type": "local_shell"},
        ],
    )
    names = [tool["function"]["name"] for tool in asked.tools]
    assert names == ["add", "n.add", "n.sub", "web_search", "p", "local_shell"]
    assert asked.tools[0] == SHOWN


@pytest.mark.parametrize(
    ("choice", "names", "is_forced"),
    [
        ("auto", ["add", "p"], False),
        ("none", [], False),
        ("required", ["add", "p"], True),
        ({"type": "function", "name": "add"}, ["add"], True),
        ({"type": "custom", "name": "p"}, ["p"], True),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "add"}],
            },
            ["add"],
            False,
        ),
    ],
)
def test_tool_choice(choice: object, names: list[str], is_forced: bool) -> None:
    tools = [FUNCTION, {"type": "custom", "name": "p"}]
    asked = order(input="Hi", tools=tools, tool_choice=choice)
    read = read_tool_choice(asked.tools, asked.tool_choice)
    assert [tool["function"]["name"] for tool in read.tools] == names
    assert read.must_call == is_forced


OPTIONS = [
    ({}, {"temperature": 1.0}),
    ({"temperature": 0}, {"temperature": 0}),
    ({"top_p": 0.5}, {"temperature": 1.0, "top_p": 0.5}),
    ({"max_output_tokens": 5}, {"temperature": 1.0, "num_predict": 5}),
    ({"num_ctx": 64, "options": {"top_p": 0.1}}, {"temperature": 1.0, "top_p": 0.1, "num_ctx": 64}),
]


@pytest.mark.parametrize(("body", "options"), OPTIONS)
def test_options(body: dict[str, Any], options: dict[str, Any]) -> None:
    """1.6."""
    assert order(input="Hi", **body).options == options


@pytest.mark.parametrize(
    ("truncation", "truncate"), [(None, False), ("disabled", False), ("auto", None)]
)
def test_truncation(truncation: str | None, truncate: bool | None) -> None:
    assert order(input="Hi", truncation=truncation).truncate is truncate


def test_formats() -> None:
    schema = {"type": "object"}
    kind = {"type": "json_schema", "name": "x", "schema": schema, "strict": True}
    assert order(input="Hi", text={"format": kind}).format == schema
    assert order(input="Hi", text={"format": {"type": "json_object"}}).format == "json"
    assert order(input="Hi", text={"format": {"type": "text"}}).format is None


def test_effort() -> None:
    """1.7, X-5."""
    for effort, value in (("none", False), ("minimal", "low"), ("high", "high"), ("xhigh", "max")):
        think = order(input="Hi", reasoning={"effort": effort}).think
        assert think is not None
        assert think.value == value
    assert order(input="Hi", reasoning={"summary": "auto"}).think is None


ERRORS: list[tuple[dict[str, Any], str, str]] = [
    ({"input": 5}, "input must be a string or array", "input"),
    ({"input": [{"x": 1}]}, "input[0]: input item missing required 'type' field", "input[0]"),
    ({"input": ["x"]}, "input[0]: an input item must be an object", "input[0]"),
    ({"input": [{"type": "message"}]}, "input[0]: a message needs a role", "input[0].role"),
    (
        {"input": [{"role": "user", "content": [{"type": "input_audio"}]}]},
        "invalid input_audio format",
        "input[0].content[0]",
    ),
    (
        {"input": [{"type": "function_call_output", "call_id": "f", "output": [{"type": "x"}]}]},
        "input[0]: output[0]: unknown content type: x",
        "input[0].output[0]",
    ),
    (
        {"input": [calls("f", "{")]},
        'input[0]: failed to parse function call arguments: "{"',
        "input[0].arguments",
    ),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": 5}]}]},
        "input[0]: content[0]: image_url must be a string",
        "input[0].content[0]",
    ),
    ({"background": True}, "responses are not made in the background", "background"),
    ({"tools": [{"type": "function"}]}, "tools[0]: a tool needs a name", "tools[0].name"),
    ({"truncation": "x"}, 'truncation must be "auto" or "disabled"', "truncation"),
    ({"max_output_tokens": 0}, "max_output_tokens must be at least 1", "max_output_tokens"),
    ({"reasoning": {"effort": "x"}}, 'invalid reasoning value: "x"', "reasoning.effort"),
    ({"metadata": {"a": 1}}, "metadata holds at most 16 texts", "metadata"),
    ({"include": "x"}, "json: Expected `array`", "include"),
]


@pytest.mark.parametrize(("body", "message", "param"), ERRORS)
def test_errors(body: dict[str, Any], message: str, param: str) -> None:
    reply, orders = post({"input": "Hi"} | body)
    error = reply.json["error"]
    assert (reply.status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert error["message"].startswith(message)
    assert not orders
