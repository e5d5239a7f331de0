"""The exact bytes of the native API's answers."""

from __future__ import annotations

import json

import pytest

from puna.api.events import Content, Done, Event, Logprob, Progress, Rendered, Thinking, ToolCalls
from puna.api.requests import FunctionCall, ToolCall
from puna.server.native import chat_wire, collect, generate_wire, progress_wire
from puna.server.streams import Wire
from tests.server.scripted import NOON

HEAD = '{"model":"m:1","created_at":"2026-01-01T12:00:00.12Z",'
FIGURES = (
    '"total_duration":6,"load_duration":5,"prompt_eval_count":4,"prompt_eval_cached_count":7,'
    '"prompt_eval_duration":3,"eval_count":2,"eval_duration":1'
)
DONE = Done("stop", 6, 5, 4, 3, 2, 1, context=(7, 8), cached_tokens=7)
CALL = ToolCall(function=FunctionCall(name="add", arguments={"b": 1, "a": [2]}))
WIRE_CALL = '{"function":{"index":0,"name":"add","arguments":{"b":1,"a":[2]}}}'
LIKELY = Logprob(token="a", logprob=-0.5, bytes=(97,))
LOGPROB = Logprob(token="a", logprob=-0.5, bytes=(97,), top_logprobs=(LIKELY,))
WIRE_LIKELY = '"token":"a","logprob":-0.5,"bytes":[97]'
WIRE_LOGPROBS = f'"logprobs":[{{{WIRE_LIKELY},"top_logprobs":[{{{WIRE_LIKELY}}}]}}]'


WIRE_MORE = WIRE_LOGPROBS.removeprefix('"logprobs":[')


def now() -> int:
    return NOON


GENERATE: dict[str, tuple[Event, str]] = {
    "text": (Content('a"<\n'), r'"response":"a\"<\n","done":false}'),
    "empty text with logprobs": (
        Content("", (LOGPROB,)),
        f'"response":"","done":false,{WIRE_LOGPROBS}}}',
    ),
    "thinking": (Thinking("hm"), '"response":"","thinking":"hm","done":false}'),
    "done": (
        DONE,
        f'"response":"","done":true,"done_reason":"stop","context":[7,8],{FIGURES}}}',
    ),
    "done without context": (
        Done("length", eval_tokens=2),
        '"response":"","done":true,"done_reason":"length","eval_count":2}',
    ),
    "a loss": (
        Done("stop", eval_tokens=2, truncated=True),
        '"response":"","done":true,"done_reason":"stop","eval_count":2,"truncated":true}',
    ),
    "load": (Done("load"), '"response":"","done":true,"done_reason":"load"}'),
    "unload": (Done("unload"), '"response":"","done":true,"done_reason":"unload"}'),
    "rendered": (
        Rendered("<p>"),
        '"response":"","done":false,"_debug_info":{"rendered_template":"<p>"}}',
    ),
}

CHAT: dict[str, tuple[Event, str]] = {
    "text": (Content("ä\n"), '"message":{"role":"assistant","content":"ä\\n"},"done":false}'),
    "thinking with logprobs": (
        Thinking("hm", (LOGPROB,)),
        '"message":{"role":"assistant","content":"","thinking":"hm"},"done":false,'
        f"{WIRE_LOGPROBS}}}",
    ),
    "calls": (
        ToolCalls((CALL,)),
        f'"message":{{"role":"assistant","content":"","tool_calls":[{WIRE_CALL}]}},"done":false}}',
    ),
    "a call with an id": (
        ToolCalls((ToolCall(id="call_x", function=FunctionCall(index=1, name="f")),)),
        '"message":{"role":"assistant","content":"","tool_calls":[{"id":"call_x",'
        '"function":{"index":1,"name":"f","arguments":{}}}]},"done":false}',
    ),
    "done": (
        DONE,
        '"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",'
        f"{FIGURES}}}",
    ),
    "a loss": (
        Done("length", truncated=True),
        '"message":{"role":"assistant","content":""},"done":true,"done_reason":"length",'
        '"truncated":true}',
    ),
    "unload": (
        Done("unload"),
        '"message":{"role":"assistant","content":""},"done":true,"done_reason":"unload"}',
    ),
    "rendered": (
        Rendered("p", 2),
        '"message":{"role":"","content":""},"done":false,'
        '"_debug_info":{"rendered_template":"p","image_count":2}}',
    ),
}


@pytest.mark.parametrize(("event", "rest"), GENERATE.values(), ids=GENERATE)
def test_generate_lines(event: Event, rest: str) -> None:
    assert generate_wire("m:1", now).piece(event).decode() == HEAD + rest + "\n"


@pytest.mark.parametrize(("event", "rest"), CHAT.values(), ids=CHAT)
def test_chat_lines(event: Event, rest: str) -> None:
    assert chat_wire("m:1", now).piece(event).decode() == HEAD + rest + "\n"


def test_generate_keeps_calls_for_its_final_object() -> None:
    wire = generate_wire("m:1", now)
    assert wire.piece(ToolCalls((CALL,))) == b""
    assert wire.piece(ToolCalls((CALL,))) == b""
    assert json.loads(wire.piece(DONE))["tool_calls"] == [json.loads(WIRE_CALL)] * 2


ANSWER: list[Event] = [
    Thinking("h", (LOGPROB,)),
    Thinking("m"),
    Content("fo", (LOGPROB,)),
    ToolCalls((CALL,)),
    Content("ur"),
    ToolCalls((CALL,)),
    DONE,
]


def test_a_whole_generate_is_the_last_object_with_everything_in_it() -> None:
    body = generate_wire("m:1", now).whole(ANSWER).decode()
    assert body == HEAD + (
        '"response":"four","thinking":"hm","done":true,"done_reason":"stop","context":[7,8],'
        f'{FIGURES},"tool_calls":[{WIRE_CALL},{WIRE_CALL}],'
        f"{WIRE_LOGPROBS[:-1]},{WIRE_MORE}}}"
    )


def test_a_whole_chat_is_the_last_object_with_everything_in_it() -> None:
    body = chat_wire("m:1", now).whole(ANSWER).decode()
    assert body == HEAD + (
        '"message":{"role":"assistant","content":"four","thinking":"hm",'
        f'"tool_calls":[{WIRE_CALL},{WIRE_CALL}]}},"done":true,"done_reason":"stop",'
        f"{WIRE_LOGPROBS[:-1]},{WIRE_MORE},{FIGURES}}}"
    )


@pytest.mark.parametrize("wire", [generate_wire("m:1", now), chat_wire("m:1", now)])
@pytest.mark.parametrize("event", [Rendered("p"), Done("load")])
def test_an_answer_of_one_object_is_the_same_whole(wire: Wire[Event], event: Event) -> None:
    assert wire.whole([event]) + b"\n" == wire.piece(event)


def test_collect_keeps_order() -> None:
    answer = collect(ANSWER)
    assert (answer.text, answer.thinking) == ("four", "hm")
    assert (answer.tool_calls, answer.logprobs) == ((CALL, CALL), (LOGPROB, LOGPROB))
    assert answer.last is DONE


def test_progress_lines_leave_out_what_is_not_there() -> None:
    wire = progress_wire()
    steps = [
        Progress(status="quantizing", digest="0", total=2, completed=1),
        Progress(status="success"),
    ]
    assert [wire.piece(step) for step in steps] == [
        b'{"status":"quantizing","digest":"0","total":2,"completed":1}\n',
        b'{"status":"success"}\n',
    ]
    assert wire.whole(steps) == b'{"status":"success"}'
