"""The bytes of /v1/responses, event by event. Check names are the compatibility spec's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from puna.api.events import (
    CallArguments,
    CallBegun,
    Content,
    Done,
    Event,
    Logprob,
    Rendered,
    Thinking,
    ToolCalls,
)
from puna.api.requests import FunctionCall, ToolCall
from puna.errors import Busy, EngineDied, ModelNotFound
from tests.fakes.asgi import Call
from tests.server.scripted import Held, client, run, said

PATH = "/v1/responses"
STOP = Done("stop", prompt_tokens=7, cached_tokens=5, eval_tokens=3, thinking_tokens=1)
CUT = Done("length", prompt_tokens=7, eval_tokens=3)


def call(name: str = "add", **arguments: object) -> ToolCalls:
    return ToolCalls(
        (ToolCall(id="call_1", function=FunctionCall(name=name, arguments=arguments)),)
    )


def ask(*script: Event | Exception, **body: object) -> Call:
    app = client(chat=said(*script))
    return run(app.request("POST", PATH, {"model": "m", "input": "Hi"} | body))


def frames(reply: Call) -> list[Any]:
    """The data of a stream, whose events are named as it says and numbered from 0."""
    blocks = reply.body.decode().split("\n\n")
    assert blocks.pop() == ""
    out = []
    for number, block in enumerate(blocks):
        name, _, data = block.partition("\n")
        frame = json.loads(data.removeprefix("data: "))
        assert name == f"event: {frame['type']}"
        assert frame.pop("sequence_number") == number
        out.append(frame)
    return out


def names(*script: Event | Exception, **body: object) -> list[str]:
    told = frames(ask(*script, stream=True, **body))
    return [frame["type"].removeprefix("response.") for frame in told]


BEGIN = ["created", "in_progress"]
MESSAGE = ["output_item.added", "content_part.added"]
MESSAGE_END = ["output_text.done", "content_part.done", "output_item.done"]
THOUGHT = ["output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"]
THOUGHT_END = [
    "reasoning_summary_text.done",
    "reasoning_summary_part.done",
    "output_item.done",
]
CALLED = [
    "output_item.added",
    "function_call_arguments.delta",
    "function_call_arguments.done",
    "output_item.done",
]
TEXT = "output_text.delta"
BEGUN = CallBegun(0, "call_1", "add")
PIECES = [CallArguments(0, '{"a":'), CallArguments(0, "1}")]

STREAMS = [
    pytest.param(
        [Content("Hello"), Content(" World"), STOP],
        [*BEGIN, *MESSAGE, TEXT, TEXT, *MESSAGE_END, "completed"],
        id="RS-11",
    ),
    pytest.param([call(a=1), STOP], [*BEGIN, *CALLED, "completed"], id="RS-12"),
    pytest.param(
        [Thinking("hm"), Content("Hi"), STOP],
        [*BEGIN, *THOUGHT, *THOUGHT_END, *MESSAGE, TEXT, *MESSAGE_END, "completed"],
        id="RS-13",
    ),
    pytest.param(
        [call(), Content("Hi"), STOP],
        [*BEGIN, *CALLED, *MESSAGE, TEXT, *MESSAGE_END, "completed"],
        id="RS-14 RS-19",
    ),
    pytest.param(
        [Content("Hi"), call(), STOP],
        [*BEGIN, *MESSAGE, TEXT, *MESSAGE_END, *CALLED, "completed"],
        id="RS-15",
    ),
    pytest.param(
        [Content("Hi"), BEGUN, *PIECES, call(a=1), call(), STOP],
        [*BEGIN, *MESSAGE, TEXT, *MESSAGE_END, *CALLED[:2], *CALLED[1:], *CALLED, "completed"],
        id="calls in pieces",
    ),
    pytest.param(
        [BEGUN, PIECES[0], CUT],
        [*BEGIN, *CALLED, "incomplete"],
        id="a call that is cut",
    ),
    pytest.param(
        [BEGUN, PIECES[0], Content("Hi"), STOP],
        [*BEGIN, *CALLED, *MESSAGE, TEXT, *MESSAGE_END, "completed"],
        id="what was no call",
    ),
    pytest.param([STOP], [*BEGIN, *MESSAGE, *MESSAGE_END, "completed"], id="RS-16"),
    pytest.param(
        [Content("Hi"), CUT], [*BEGIN, *MESSAGE, TEXT, *MESSAGE_END, "incomplete"], id="9.6 cut"
    ),
    pytest.param(
        [Content("Hi"), EngineDied()], [*BEGIN, *MESSAGE, TEXT, "failed"], id="1.10 an error"
    ),
]


@pytest.mark.parametrize(("script", "expected"), STREAMS)
def test_events(script: list[Event | Exception], expected: list[str]) -> None:
    assert names(*script) == expected


@pytest.mark.parametrize(
    "script",
    [
        [Thinking("h"), Thinking("m"), Content("H"), Content("i"), call(a=1), call(), STOP],
        [Content("Hi"), CUT],
        [STOP],
    ],
)
def test_a_stream_and_a_whole_response_say_the_same(script: list[Event]) -> None:
    """RS-17; ids are new each time."""
    told = frames(ask(*script, stream=True))
    done = [frame for frame in told if frame["type"] == "response.output_item.done"]
    final = told[-1]["response"]
    assert [frame["output_index"] for frame in done] == list(range(len(done)))
    assert [frame["item"] for frame in done] == final["output"]
    added = [frame for frame in told if frame["type"] == "response.output_item.added"]
    assert [frame["item"]["id"] for frame in added] == [item["id"] for item in final["output"]]
    whole = ask(*script).json
    assert without_ids(whole) == without_ids(final)


def test_the_arguments_of_a_call_are_the_sum_of_their_pieces() -> None:
    told = frames(ask(BEGUN, *PIECES, call(a=1), STOP, stream=True))
    added, *deltas, done, item = told[2:-1]
    assert (added["item"]["arguments"], added["item"]["status"]) == ("", "in_progress")
    assert [each["delta"] for each in deltas] == ['{"a":', "1}"]
    assert (done["arguments"], done["item_id"]) == ('{"a":1}', added["item"]["id"])
    assert item["item"] == told[-1]["response"]["output"][0]
    assert (item["item"]["status"], item["item"]["arguments"]) == ("completed", '{"a":1}')
    cut = frames(ask(BEGUN, PIECES[0], CUT, stream=True))[-1]["response"]["output"]
    assert [(each["status"], each["arguments"]) for each in cut] == [("incomplete", '{"a":')]


def test_a_call_of_a_custom_tool_is_told_when_it_is_whole() -> None:
    tools = [{"type": "custom", "name": "note"}]
    script: list[Event] = [
        CallBegun(0, "call_1", "note"),
        CallArguments(0, "{"),
        call("note", input="x"),
        STOP,
    ]
    told = names(*script, tools=tools)
    assert told.count("output_item.added") == 1
    assert "custom_tool_call_input.done" in told


def without_ids(response: dict[str, Any]) -> dict[str, Any]:
    items = [{k: v for k, v in item.items() if k != "id"} for item in response["output"]]
    return response | {"id": "", "output": items}


def test_texts_are_the_sum_of_their_pieces() -> None:
    told = frames(ask(Thinking("h"), Thinking("m"), Content("H"), Content("ü"), STOP, stream=True))
    for kind, name in (("output_text", "Hü"), ("reasoning_summary_text", "hm")):
        pieces = [each["delta"] for each in told if each["type"] == f"response.{kind}.delta"]
        (done,) = [each for each in told if each["type"] == f"response.{kind}.done"]
        assert "".join(pieces) == done["text"] == name


def test_the_members_of_a_response() -> None:
    """6.4."""
    reply = ask(Thinking("hm"), Content("Hi"), STOP, store=False)
    assert reply.header("content-type") == "application/json; charset=utf-8"
    body = reply.json
    thought, message = body.pop("output")
    assert body.pop("id").startswith("resp_")
    assert thought.pop("id").startswith("rs_")
    assert message.pop("id").startswith("msg_")
    assert thought == {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "hm",
    }
    text = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
    assert message == {
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [text],
    }
    assert body == {
        "object": "response",
        "created_at": 1767268800,
        "completed_at": 1767268800,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": "m",
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": None,
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 10,
        },
        "user": None,
        "metadata": {},
    }


def test_what_was_asked_for_is_repeated() -> None:
    tool = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": True}
    asked: dict[str, Any] = {
        "instructions": "Be brief.",
        "max_output_tokens": 9,
        "max_tool_calls": 2,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "prompt_cache_key": "key",
        "reasoning": {"effort": "low", "summary": "auto"},
        "safety_identifier": "id",
        "temperature": 0.0,
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "tool_choice": "none",
        "tools": [tool, {"type": "web_search"}],
        "top_p": 0.5,
        "truncation": "auto",
        "user": "me",
    }
    body = ask(STOP, **asked).json
    assert {name: body[name] for name in asked} == asked


NAMESPACE = {"type": "namespace", "name": "files", "tools": [{"type": "function", "name": "read"}]}
CALLS = [
    pytest.param(
        {"type": "function", "name": "add"},
        call(a="ü"),
        {"type": "function_call", "name": "add", "arguments": '{"a":"ü"}'},
        CALLED,
        id="function",
    ),
    pytest.param(
        NAMESPACE,
        call("files.read"),
        {"type": "function_call", "name": "read", "namespace": "files", "arguments": "{}"},
        CALLED,
        id="RS-10 namespace",
    ),
    pytest.param(
        {"type": "custom", "name": "patch"},
        call("patch", input="a\nb"),
        {"type": "custom_tool_call", "name": "patch", "input": "a\nb"},
        [
            "output_item.added",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.done",
            "output_item.done",
        ],
        id="custom",
    ),
    pytest.param(
        {"type": "local_shell"},
        call("local_shell", command=["ls", "-l"], timeout_ms=5),
        {
            "type": "local_shell_call",
            "action": {
                "type": "exec",
                "command": ["ls", "-l"],
                "env": {},
                "timeout_ms": 5,
                "working_directory": None,
            },
        },
        ["output_item.added", "output_item.done"],
        id="local_shell",
    ),
]


@pytest.mark.parametrize(("tool", "event", "item", "events"), CALLS)
def test_a_call_is_of_its_tools_kind(
    tool: object, event: Event, item: dict[str, Any], events: list[str]
) -> None:
    (made,) = ask(event, STOP, tools=[tool]).json["output"]
    assert made.pop("id")
    assert made == item | {"status": "completed", "call_id": "call_1"}
    assert names(event, STOP, tools=[tool]) == [*BEGIN, *events, "completed"]


def test_log_probabilities() -> None:
    sure = Logprob(token="Hi", logprob=-0.5, bytes=(72, 105))
    entry = {"token": "Hi", "bytes": [72, 105], "logprob": -0.5, "top_logprobs": []}
    told = frames(ask(Content("Hi", (sure,)), STOP, stream=True))
    (delta,) = [each for each in told if each["type"] == "response.output_text.delta"]
    assert delta["logprobs"] == [entry]
    assert told[-1]["response"]["output"][0]["content"][0]["logprobs"] == [entry]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(ModelNotFound("m"), 404, "model_not_found"), (Busy(), 503, None)],
)
@pytest.mark.parametrize("stream", [True, False])
def test_an_early_error_has_its_status(
    error: Exception, status: int, code: str | None, stream: bool
) -> None:
    """RS-18: also with a web search declared, which is not done here."""
    reply = ask(error, stream=stream, tools=[{"type": "web_search"}])
    assert reply.status == status
    assert (reply.json["error"]["message"], reply.json["error"]["code"]) == (str(error), code)


def test_a_late_error_fails_the_response() -> None:
    told = frames(ask(Content("Hi"), EngineDied(), stream=True))
    response = told[-1]["response"]
    assert (response["status"], response["completed_at"]) == ("failed", None)
    assert response["error"] == {"code": "server_error", "message": str(EngineDied())}


def test_a_prompt_can_be_seen() -> None:
    reply = ask(Rendered("<user>Hi"), stream=True, _debug_render_only=True).json
    assert reply["_debug_info"] == {"rendered_template": "<user>Hi", "image_count": 0}


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_hangs_up_ends_the_work(stream: bool) -> None:
    async def scene() -> None:
        held = Held(Content("a"))
        app = client(chat=held)
        body = {"model": "m", "input": "Hi", "stream": stream}
        async with app.open("POST", PATH, body) as request:
            await held.reached.wait()
            request.hang_up()
            await held.cleaned.wait()
        assert held.cancelled

    run(scene())
