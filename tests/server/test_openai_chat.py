"""The bytes of /v1/chat/completions, event by event. Check names are the compatibility spec's."""

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
from puna.errors import Busy, ContextExceeded, EngineDied, InvalidOption, ModelNotFound
from tests.fakes.asgi import Call
from tests.server.scripted import Held, client, run, said

PATH = "/v1/chat/completions"
STOP = Done("stop", prompt_tokens=7, cached_tokens=5, eval_tokens=3)
CUT = Done("length", prompt_tokens=7, eval_tokens=3)
CALL = ToolCalls(
    (ToolCall(id="call_1", function=FunctionCall(name="add", arguments={"a": 1, "b": "ü"})),)
)
SURE = Logprob(token="Hi", logprob=-0.5, bytes=(72, 105))


def ask(*script: Event | Exception, **body: object) -> Call:
    messages = [{"role": "user", "content": "Hi"}]
    app = client(chat=said(*script))
    return run(app.request("POST", PATH, {"model": "m", "messages": messages} | body))


def frames(reply: Call) -> list[Any]:
    """The data of a stream; the last is the text [DONE] if it is there."""
    texts = reply.body.decode().split("\n\n")
    assert texts.pop() == ""
    data = [text.removeprefix("data: ") for text in texts]
    return [each if each == "[DONE]" else json.loads(each) for each in data]


def deltas(*script: Event | Exception, **body: object) -> list[Any]:
    """Delta and finish reason of each frame; figures and the end as they are."""
    out: list[Any] = []
    for frame in frames(ask(*script, stream=True, **body)):
        if isinstance(frame, str):
            out.append(frame)
        elif frame["choices"]:
            (choice,) = frame["choices"]
            out.append((choice["delta"], choice["finish_reason"]))
        else:
            out.append(frame["usage"])
    return out


END: list[Any] = [({}, "stop"), "[DONE]"]
ROLE = {"role": "assistant"}


def thought(text: str) -> dict[str, str]:
    return {"content": "", "reasoning": text, "reasoning_content": text}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(
            [Content("Hello"), Content(" world"), Content("!"), STOP],
            [
                (ROLE | {"content": "Hello"}, None),
                ({"content": " world"}, None),
                ({"content": "!"}, None),
                *END,
            ],
            id="CC-8",
        ),
        pytest.param(
            [Content("Hi"), Content(""), STOP],
            [(ROLE | {"content": "Hi"}, None), *END],
            id="CC-9",
        ),
        pytest.param([STOP], [(ROLE | {"content": ""}, None), *END], id="CC-11"),
        pytest.param(
            [Thinking("hm"), Content("Hi"), STOP],
            [(ROLE | thought("hm"), None), ({"content": "Hi"}, None), *END],
            id="CC-13",
        ),
    ],
)
def test_frames(script: list[Event], expected: list[Any]) -> None:
    assert deltas(*script) == expected


@pytest.mark.parametrize(
    ("end", "reason"), [pytest.param(STOP, "tool_calls"), pytest.param(CUT, "length", id="CC-14")]
)
def test_a_call(end: Done, reason: str) -> None:
    call = {
        "id": "call_1",
        "index": 0,
        "type": "function",
        "function": {"name": "add", "arguments": '{"a":1,"b":"ü"}'},
    }
    assert deltas(CALL, CALL, end) == [
        (ROLE | {"content": "", "tool_calls": [call]}, None),
        ({"content": "", "tool_calls": [call | {"index": 1}]}, None),
        ({}, reason),
        "[DONE]",
    ]
    (choice,) = ask(CALL, end).json["choices"]
    assert choice["message"] == ROLE | {"content": "", "tool_calls": [call]}
    assert choice["finish_reason"] == reason


BEGUN = CallBegun(0, "call_1", "add")
PIECES = [CallArguments(0, '{"a":1,'), CallArguments(0, '"b":"ü"}')]


def more(text: str, index: int = 0) -> tuple[dict[str, Any], None]:
    return {"tool_calls": [{"index": index, "function": {"arguments": text}}]}, None


def test_a_call_in_pieces() -> None:
    first = {
        "id": "call_1",
        "index": 0,
        "type": "function",
        "function": {"name": "add", "arguments": ""},
    }
    begun = ({"content": "", "tool_calls": [first]}, None)
    told = [begun, more('{"a":1,'), more('"b":"ü"}')]
    second = first | {"id": "call_2", "index": 1}
    assert deltas(
        Content("x"),
        BEGUN,
        *PIECES,
        CALL,
        CallBegun(1, "call_2", "add"),
        CallArguments(1, "{}"),
        ToolCalls((ToolCall(id="call_2", function=FunctionCall(index=1, name="add")),)),
        STOP,
    ) == [
        (ROLE | {"content": "x"}, None),
        *told,
        ({"content": "", "tool_calls": [second]}, None),
        more("{}", 1),
        ({}, "tool_calls"),
        "[DONE]",
    ]
    assert deltas(Content("x"), BEGUN, PIECES[0], CUT)[-2:] == [({}, "length"), "[DONE]"]
    assert deltas(Content("x"), BEGUN, PIECES[0], STOP)[-2:] == [({}, "stop"), "[DONE]"]


OLDER = {"functions": [{"name": "add"}]}


@pytest.mark.parametrize(
    ("end", "reason"), [(STOP, "function_call"), (CUT, "length")], ids=["whole", "cut"]
)
def test_a_call_of_an_older_client(end: Done, reason: str) -> None:
    """It sends `functions`, and knows nothing of ids."""
    called = {"name": "add", "arguments": '{"a":1,"b":"ü"}'}
    begun = ROLE | {"content": "", "function_call": called}
    assert deltas(CALL, end, **OLDER) == [(begun, None), ({}, reason), "[DONE]"]
    (choice,) = ask(CALL, end, **OLDER).json["choices"]
    assert choice["message"] == ROLE | {"content": "", "function_call": called}
    assert choice["finish_reason"] == reason


def test_pieces_of_a_call_of_an_older_client() -> None:
    assert deltas(Content("x"), BEGUN, *PIECES, CALL, STOP, **OLDER)[1:] == [
        ({"content": "", "function_call": {"name": "add", "arguments": ""}}, None),
        ({"function_call": {"arguments": '{"a":1,'}}, None),
        ({"function_call": {"arguments": '"b":"ü"}'}}, None),
        ({}, "function_call"),
        "[DONE]",
    ]


def test_figures_come_when_they_are_asked_for() -> None:
    """CC-12."""
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    asked = deltas(Thinking("hm"), Content("Hi"), STOP, stream_options={"include_usage": True})
    assert asked[2:] == [({}, "stop"), usage, "[DONE]"]
    reply = ask(Content("Hi"), STOP, stream=True, stream_options={"include_usage": True})
    assert [frame["usage"] for frame in frames(reply)[:-1]] == [None, None, usage]
    assert ask(Content("Hi"), STOP).json["usage"] == usage
    assert all("usage" not in frame for frame in frames(ask(STOP, stream=True))[:-1])


def test_the_service_tier_is_named_to_who_names_one() -> None:
    reply = ask(Content("Hi"), STOP, stream=True, service_tier="auto")
    assert {frame["service_tier"] for frame in frames(reply)[:-1]} == {"default"}
    assert ask(Content("Hi"), STOP, service_tier="priority").json["service_tier"] == "default"
    assert "service_tier" not in ask(Content("Hi"), STOP).json


def test_the_frames_of_a_stream_have_one_id_and_time() -> None:
    reply = ask(Content("a"), Content("b"), STOP, stream=True)
    assert reply.header("content-type") == "text/event-stream"
    heads = [{k: v for k, v in frame.items() if k != "choices"} for frame in frames(reply)[:-1]]
    assert heads == [heads[0]] * 3
    assert heads[0] | {"id": ""} == {
        "id": "",
        "object": "chat.completion.chunk",
        "created": 1767268800,
        "model": "m",
        "system_fingerprint": "fp_ollama",
    }
    again = frames(ask(STOP, stream=True))[0]["id"]
    assert again.startswith("chatcmpl-")
    assert again != heads[0]["id"]


def test_a_whole_answer() -> None:
    reply = ask(Thinking("hm"), Content("He"), Content("llo"), STOP).json
    assert reply["object"] == "chat.completion"
    message = ROLE | thought("hm") | {"content": "Hello"}
    assert reply["choices"] == [{"index": 0, "message": message, "finish_reason": "stop"}]


def test_logprobs_are_complete() -> None:
    """CC-10, and 9.2: no member that clients require is missing."""
    token = Logprob(token="Hi", logprob=-0.5, bytes=(72, 105), top_logprobs=(SURE,))
    nothing = Logprob(token="", logprob=-0.1)
    entries = [
        {
            "token": "Hi",
            "logprob": -0.5,
            "bytes": [72, 105],
            "top_logprobs": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}],
        },
        {"token": "", "logprob": -0.1, "bytes": None, "top_logprobs": []},
    ]
    script: list[Event] = [Content("Hi", (token,)), Content("", (nothing,)), STOP]
    assert ask(*script).json["choices"][0]["logprobs"] == {"content": entries, "refusal": None}
    told = [frame["choices"][0].get("logprobs") for frame in frames(ask(*script, stream=True))[:-1]]
    assert [each["content"] for each in told[:2]] == [entries[:1], entries[1:]]
    assert told[2] is None


def test_several_choices_count_their_prompt_once() -> None:
    script: list[Event] = [Content("a"), Content("b"), STOP]
    reply = ask(*script, n=3).json
    assert [each["index"] for each in reply["choices"]] == [0, 1, 2]
    assert [each["message"]["content"] for each in reply["choices"]] == ["ab"] * 3
    assert (reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]) == (7, 9)
    streamed = frames(ask(*script, n=3, stream=True))
    choices = [frame["choices"][0] for frame in streamed[:-1]]
    for index in range(3):
        mine = [each for each in choices if each["index"] == index]
        assert [each["delta"] for each in mine] == [ROLE | {"content": "a"}, {"content": "b"}, {}]
    assert streamed[-1] == "[DONE]"


def test_a_prompt_can_be_seen() -> None:
    reply = ask(Rendered("<user>Hi"), stream=True, _debug_render_only=True).json
    assert reply["_debug_info"] == {"rendered_template": "<user>Hi", "image_count": 0}


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (ModelNotFound("m"), 404, "not_found_error", "model_not_found"),
        (ContextExceeded("too long"), 400, "invalid_request_error", "context_length_exceeded"),
        (Busy(), 503, "api_error", None),
        (InvalidOption("no"), 400, "invalid_request_error", None),
    ],
)
@pytest.mark.parametrize("n", [1, 2])
def test_an_early_error_has_its_status(
    error: Exception, status: int, kind: str, code: str | None, n: int
) -> None:
    reply = ask(error, stream=True, n=n)
    assert reply.status == status
    assert reply.header("content-type") == "application/json" + "; charset=utf-8" * (status < 500)
    told = {"message": str(error), "type": kind, "param": None, "code": code}
    assert reply.json == {"error": told}


@pytest.mark.parametrize("script", [[EngineDied("oops")], []])
@pytest.mark.parametrize("n", [1, 2])
def test_a_late_error_ends_the_stream(script: list[Exception], n: int) -> None:
    told = frames(ask(Content("a"), *script, stream=True, n=n))
    assert told[-1]["error"]["type"] == "api_error"
    assert "[DONE]" not in told


@pytest.mark.parametrize("n", [1, 3])
def test_who_leaves_ends_every_choice(n: int) -> None:
    held = [Held(Content("a")) for _ in range(n)]
    rest = iter(held)
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "n": n, "stream": True}

    async def leave() -> None:
        app = client(chat=lambda order: next(rest)(order))
        async with app.open("POST", PATH, body) as call:
            for each in held:
                await each.reached.wait()
            call.hang_up()
        for each in held:
            await each.cleaned.wait()

    run(leave())
    assert all(each.cleaned.is_set() for each in held)
