"""What clients of the Anthropic API read: messages and streams, check by check of the
compatibility spec, 8.4 to 8.8 and 9.7."""

from __future__ import annotations

import json
import re
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
from puna.api.requests import FunctionCall, ToolCall
from tests.server.anthropic import DONE, ask, events

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
