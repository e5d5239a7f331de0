"""What clients of the Anthropic API read: messages, streams and errors, check by check of the
compatibility spec, 8.4 to 8.8 and 9.7."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from puna.api.events import (
    CallArguments,
    CallBegun,
    Content,
    Done,
    Event,
    Thinking,
    ToolCalls,
)
from puna.api.requests import ChatRequest, FunctionCall, ToolCall
from puna.errors import BadRequest, Busy, EngineDied, Forbidden, InvalidOption, ModelNotFound
from tests.fakes.asgi import Call
from tests.server.scripted import client, run, said

BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
DONE = Done("stop", prompt_tokens=7, cached_tokens=5, eval_tokens=3)
USAGE = {
    "input_tokens": 2,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 5,
    "output_tokens": 3,
}


def calls(*names: str) -> ToolCalls:
    return ToolCalls(
        tuple(
            ToolCall(id=f"call_{name}", function=FunctionCall(name=name, arguments={"at": name}))
            for name in names
        )
    )


def ask(*script: Event | Exception, **fields: Any) -> Call:
    doors = client(chat=said(*script))
    return run(doors.request("POST", "/v1/messages?beta=true", BODY | fields))


def events(reply: Call) -> list[dict[str, Any]]:
    """The events of a stream; each has its type twice."""
    assert reply.header("content-type") == "text/event-stream"
    found = []
    for part in reply.body.decode().removesuffix("\n\n").split("\n\n"):
        match = re.fullmatch(r"event: (\w+)\ndata: (.*)", part)
        assert match is not None, part
        found.append(json.loads(match[2]))
        assert found[-1]["type"] == match[1]
    return found


def rebuilt(stream: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a stream builds, as a client does it."""
    message = dict(stream[0]["message"])
    blocks: list[dict[str, Any]] = []
    open_block: dict[str, Any] | None = None
    for event in stream[1:]:
        match event["type"]:
            case "content_block_start":
                assert open_block is None
                assert event["index"] == len(blocks)
                open_block = dict(event["content_block"])
                written = ""
                blocks.append(open_block)
            case "content_block_delta":
                assert open_block is not None
                assert event["index"] == len(blocks) - 1
                ((name, piece),) = [(k, v) for k, v in event["delta"].items() if k != "type"]
                if name == "partial_json":
                    written += piece
                else:
                    open_block[name] += piece
            case "content_block_stop":
                assert event["index"] == len(blocks) - 1
                if open_block is not None and written:
                    open_block["input"] = json.loads(written)
                open_block = None
            case "message_delta":
                assert open_block is None
                message |= event["delta"] | {"usage": event["usage"]}
    return message | {"content": blocks}


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message without what is random, which must be there."""
    message = json.loads(json.dumps(message))
    assert re.fullmatch("msg_[0-9a-f]{24}", message.pop("id"))
    for block in message["content"]:
        if block["type"] == "thinking":
            assert block.pop("signature")
    return message


ANSWERS: dict[str, tuple[list[Event], dict[str, Any], list[dict[str, Any]], str, str | None]] = {
    "text": (
        [Content("fo"), Content("ur"), DONE],
        {},
        [{"type": "text", "text": "four"}],
        "end_turn",
        None,
    ),
    "thoughts, then text": (
        [Thinking("h"), Thinking("m"), Content("4"), DONE],
        {},
        [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "4"}],
        "end_turn",
        None,
    ),
    "thoughts that are not to be shown": (
        [Thinking("h"), Thinking("m"), Content("4"), DONE],
        {"thinking": {"type": "enabled", "display": "omitted"}},
        [{"type": "thinking", "thinking": ""}, {"type": "text", "text": "4"}],
        "end_turn",
        None,
    ),
    "calls": (
        [Content("I look"), calls("a", "b"), DONE],
        {},
        [
            {"type": "text", "text": "I look"},
            {"type": "tool_use", "id": "call_a", "name": "a", "input": {"at": "a"}},
            {"type": "tool_use", "id": "call_b", "name": "b", "input": {"at": "b"}},
        ],
        "tool_use",
        None,
    ),
    "one call at a time": (
        [calls("a", "b"), calls("c"), DONE],
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        [{"type": "tool_use", "id": "call_a", "name": "a", "input": {"at": "a"}}],
        "tool_use",
        None,
    ),
    "text after calls": (
        [calls("a"), Content("so"), DONE],
        {},
        [
            {"type": "tool_use", "id": "call_a", "name": "a", "input": {"at": "a"}},
            {"type": "text", "text": "so"},
        ],
        "tool_use",
        None,
    ),
    "calls that were cut": ([calls("a"), Done("length")], {}, [
        {"type": "tool_use", "id": "call_a", "name": "a", "input": {"at": "a"}}
    ], "tool_use", None),
    "the longest answer": (
        [Content("4"), Done("length", eval_tokens=9)],
        {},
        [{"type": "text", "text": "4"}],
        "max_tokens",
        None,
    ),
    "an answer that fills the context": (
        [Content("4"), Done("length", eval_tokens=8)],
        {},
        [{"type": "text", "text": "4"}],
        "model_context_window_exceeded",
        None,
    ),
    "nothing but the reading of the prompt": (
        [Done("length")],
        {"max_tokens": 0},
        [],
        "max_tokens",
        None,
    ),
    "AM-12 one call twice": (
        [calls("a", "a"), calls("a"), DONE],
        {},
        [{"type": "tool_use", "id": "call_a", "name": "a", "input": {"at": "a"}}],
        "tool_use",
        None,
    ),
    "AM-9 a stop sequence": (
        [Content("4"), Done("stop", stop="\n")],
        {"stop_sequences": ["\n", "x"]},
        [{"type": "text", "text": "4"}],
        "stop_sequence",
        "\n",
    ),
    "AM-9 a stop word of the model's": (
        [Content("4"), Done("stop", stop="\n")],
        {},
        [{"type": "text", "text": "4"}],
        "end_turn",
        None,
    ),
    "AM-11 thoughts after text": (
        [Content("a"), Thinking("h"), Content("b"), DONE],
        {},
        [
            {"type": "text", "text": "a"},
            {"type": "thinking", "thinking": "h"},
            {"type": "text", "text": "b"},
        ],
        "end_turn",
        None,
    ),
    "AM-8 nothing": ([DONE], {}, [], "end_turn", None),
    "empty pieces": ([Thinking(""), Content(""), DONE], {}, [], "end_turn", None),
    "AM-6 nothing was asked": ([Done("load")], {}, [], "end_turn", None),
}  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("script", "fields", "content", "reason", "stop"), ANSWERS.values(), ids=ANSWERS
)
def test_answers(
    script: list[Event],
    fields: dict[str, Any],
    content: list[dict[str, Any]],
    reason: str,
    stop: str | None,
    *,
    stream: bool,
) -> None:
    reply = ask(*script, **fields, stream=stream)
    message = plain(rebuilt(events(reply)) if stream else reply.json)
    usage = message.pop("usage")
    assert {name: usage[name] for name in USAGE} == (
        USAGE
        if script[-1] is DONE
        else dict.fromkeys(USAGE, 0) | {"output_tokens": usage["output_tokens"]}
    )
    assert (usage["service_tier"], usage["server_tool_use"]) == ("standard", None)
    assert set(usage["cache_creation"].values()) == {0}
    assert message == {
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": stop,
    }


def test_the_events_of_a_stream() -> None:
    reply = ask(Thinking("h"), Content("4"), calls("a"), DONE, stream=True)
    assert reply.header("cache-control") == "no-cache"
    stream = events(reply)
    start = stream[0]["message"]
    assert (start["content"], start["stop_reason"], start["stop_sequence"]) == ([], None, None)
    assert start["usage"]["input_tokens"] == 1
    starts = [each["content_block"] for each in stream if each["type"] == "content_block_start"]
    assert starts == [  # AM-10: the empty values are there
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "text", "text": ""},
        {"type": "tool_use", "id": "call_a", "name": "a", "input": {}},
    ]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert [each["type"] for each in stream] == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",  # the signature
        "content_block_stop",
        *block,
        *block,
        "message_delta",
        "message_stop",
    ]


def test_a_stream_of_nothing() -> None:
    """AM-13"""
    kinds = [each["type"] for each in events(ask(DONE, stream=True))]
    assert kinds == ["message_start", "ping", "message_delta", "message_stop"]


def test_the_last_event_counts_the_prompt() -> None:
    """AM-14"""
    stream = events(ask(Content("4"), DONE, stream=True))
    told = [stream[0]["message"]["usage"], stream[-2]["usage"]]
    assert told[0]["input_tokens"] == 1  # an estimate
    assert {name: told[1][name] for name in USAGE} == USAGE


def test_a_call_in_pieces() -> None:
    script: list[Event] = [
        Content("so"),
        CallBegun(0, "call_a", "a"),
        CallArguments(0, '{"at":'),
        CallArguments(0, '"a"}'),
        calls("a"),
        calls("b"),
        DONE,
    ]
    stream = events(ask(*script, stream=True))
    assert rebuilt(stream)["content"] == [
        {"type": "text", "text": "so"},
        {"type": "tool_use", "id": "call_a", "name": "a", "input": {"at": "a"}},
        {"type": "tool_use", "id": "call_b", "name": "b", "input": {"at": "b"}},
    ]
    written = [each["delta"].get("partial_json") for each in stream if "delta" in each]
    assert written == [None, '{"at":', '"a"}', '{"at":"b"}', None]
    cut = events(ask(*script[:3], Done("length", eval_tokens=9), stream=True))
    assert cut[-2]["delta"]["stop_reason"] == "max_tokens"


def test_a_piece_of_text_is_one_event_and_one_send() -> None:
    reply = ask(*[Content(f"w{n} ") for n in range(100)], DONE, stream=True)
    assert len(reply.pieces) == 101
    assert all(piece.count(b"event: ") == 1 for piece in reply.pieces[1:-1])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_edits_of_the_conversation_are_told_to_who_asks(*, stream: bool) -> None:
    """9.7"""

    def told(**fields: Any) -> dict[str, Any]:
        reply = ask(DONE, stream=stream, **fields)
        return events(reply)[-2] if stream else dict(reply.json)

    edits = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    assert told(context_management=edits)["context_management"] == {"applied_edits": []}
    assert "context_management" not in told()


def test_ids_differ() -> None:
    assert ask(DONE).json["id"] != ask(DONE).json["id"]


EARLY: dict[str, tuple[Exception, int, str]] = {
    "bad request": (BadRequest("no"), 400, "invalid_request_error"),
    "an option of another type": (InvalidOption("no"), 400, "invalid_request_error"),
    "forbidden": (Forbidden("no"), 403, "permission_error"),
    "AM-15 not found": (ModelNotFound("m"), 404, "not_found_error"),
    "busy": (Busy(), 503, "overloaded_error"),
    "a failure": (EngineDied(), 500, "api_error"),
    "a surprise": (KeyError("secret"), 500, "api_error"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("error", "status", "kind"), EARLY.values(), ids=EARLY)
def test_an_early_error_has_its_status(
    error: Exception, status: int, kind: str, *, stream: bool
) -> None:
    """AM-16"""
    reply = ask(error, stream=stream)
    assert reply.status == status
    assert str(reply.header("content-type")).startswith("application/json")
    body = reply.json
    assert re.fullmatch("req_[0-9a-f]{24}", body["request_id"])
    assert body.pop("request_id") == reply.header("request-id")
    words = "internal server error" if isinstance(error, KeyError) else str(error)
    assert body == {"type": "error", "error": {"type": kind, "message": words}}


def test_a_late_error_is_an_event() -> None:
    stream = events(ask(Content("a"), Busy(), stream=True))
    assert stream[-1]["error"] == {"type": "overloaded_error", "message": str(Busy())}
    assert "message_stop" not in {each["type"] for each in stream}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":5}'])
def test_unreadable_bodies_are_400_in_the_api_s_own_form(path: str, body: bytes) -> None:
    reply = run(client().request("POST", path, body))
    assert (reply.status, reply.json["type"]) == (400, "error")
    assert reply.json["error"]["type"] == "invalid_request_error"


HEADERS: dict[str, dict[str, str]] = {
    "none": {},
    "a version": {"anthropic-version": "2023-06-01", "anthropic-beta": "a,b"},
    "a version that nobody knows": {"anthropic-version": "tomorrow"},
    "a key": {"x-api-key": "anything"},
    "a token": {"authorization": "Bearer anything"},
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_keys_and_versions_are_taken_as_they_come(headers: dict[str, str]) -> None:
    doors = client(chat=said(Content("4"), DONE))
    assert run(doors.request("POST", "/v1/messages", BODY, headers=headers)).status == 200


def test_who_asks_and_how_urgent_it_is_go_along() -> None:
    heard: list[tuple[str, str]] = []

    async def answer(order: ChatRequest) -> AsyncIterator[Event]:
        heard.append((order.client, order.priority))
        yield DONE

    headers = {"x-api-key": "k", "X-Puna-Priority": "low"}
    run(client(chat=answer).request("POST", "/v1/messages", BODY, headers=headers))
    ((name, priority),) = heard
    assert name not in {"", "k"}
    assert priority == "low"


def test_models_for_who_sends_a_version() -> None:
    async def tags() -> list[object]:
        return [{"model": name, "modified_at": "2026-01-01T12:00:00Z"} for name in ("a:1", "b:2")]

    headers = {"anthropic-version": "2023-06-01"}
    page = run(client(tags=tags).request("GET", "/v1/models?limit=1", headers=headers)).json
    assert page.pop("data")[0] == {
        "type": "model",
        "id": "a:1",
        "display_name": "a:1",
        "created_at": "2026-01-01T12:00:00Z",
        "lifecycle": "active",
    }
    assert page == {"has_more": False, "first_id": "a:1", "last_id": "b:2"}
    empty = run(client().request("GET", "/v1/models", headers=headers)).json
    assert empty == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_counting() -> None:
    async def count(order: ChatRequest) -> int:
        return len(order.messages[0].content)

    body = {name: value for name, value in BODY.items() if name != "max_tokens"}
    doors = client(count_tokens=count)
    reply = run(doors.request("POST", "/v1/messages/count_tokens?beta=true", body))
    assert (reply.status, reply.json) == (200, {"input_tokens": 2})
    missing = run(client().request("POST", "/v1/messages/count_tokens", body))
    assert (missing.status, missing.json["error"]["type"]) == (404, "not_found_error")
