"""Events as the Anthropic API writes them: a message, or the stream that builds one.

Facts: compatibility spec, sections 8.4 to 8.6 and 9.7. A stream and a message hold the same blocks.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from puna.api.anthropic import MessagesRequest
from puna.api.events import (
    CallArguments,
    CallBegun,
    Content,
    Done,
    Event,
    Thinking,
    ToolCalls,
)
from puna.api.requests import ToolCall
from puna.server.anthropic.request import estimate_tokens
from puna.server.faults import ANTHROPIC
from puna.server.streams import EVENT_STREAM, Wire

__all__ = ["STREAMED", "MessageReply", "TokenCount", "messages_wire"]

_encode = msgspec.json.Encoder().encode

# a token's event is written by these, everything rarer as a struct
_DELTA = b"event: content_block_delta\ndata: "
_TEXT = _DELTA + (
    b'{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":%b}}\n\n'
)
_THOUGHT = _DELTA + (
    b'{"type":"content_block_delta","index":%d,"delta":{"type":"thinking_delta","thinking":%b}}\n\n'
)
_SIGNATURE = _DELTA + (
    b'{"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"signature_delta","signature":%b}}\n\n'
)
_INPUT = _DELTA + (
    b'{"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"input_json_delta","partial_json":%b}}\n\n'
)
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_END = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class TextBlock(Struct, tag_field="type", tag="text"):
    """What the model says."""

    text: str


class ThinkingBlock(Struct, tag_field="type", tag="thinking"):
    """What the model thinks. The signature says nothing; clients send it back."""

    thinking: str
    signature: str


class ToolUseBlock(Struct, tag_field="type", tag="tool_use"):
    """A call that the model asks for."""

    id: str
    name: str
    input: dict[str, Any]


_Block = TextBlock | ThinkingBlock | ToolUseBlock


class CacheCreation(Struct):
    """Tokens that were put into the cache; that is free here, so nothing is counted."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class Usage(Struct, kw_only=True):
    """Tokens. Those of the prompt that were in the cache are not in `input_tokens`."""

    input_tokens: int
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation: CacheCreation = field(default_factory=CacheCreation)
    output_tokens: int = 0
    server_tool_use: None = None
    service_tier: str = "standard"


class Edits(Struct):
    """What was taken out of the conversation to make room: nothing, here."""

    applied_edits: list[dict[str, Any]] = field(default_factory=list)


class MessageReply(Struct, kw_only=True, tag_field="type", tag="message"):
    """A whole answer, or the empty one that a stream begins with; `truncated` as in `Stopped`."""

    id: str
    role: str = "assistant"
    model: str
    content: list[_Block] = field(default_factory=list)
    stop_reason: str | None = None
    stop_sequence: str | None = None
    truncated: bool | UnsetType = UNSET
    usage: Usage
    context_management: Edits | UnsetType = UNSET


class MessageStart(Struct, tag_field="type", tag="message_start"):
    """The first event of a stream."""

    message: MessageReply


class BlockStart(Struct, tag_field="type", tag="content_block_start"):
    """A block begins; what is in it comes in pieces."""

    index: int
    content_block: _Block


class TextDelta(Struct, tag_field="type", tag="text_delta"):
    """What the model says next."""

    text: str


class ThinkingDelta(Struct, tag_field="type", tag="thinking_delta"):
    """What the model thinks next."""

    thinking: str


class SignatureDelta(Struct, tag_field="type", tag="signature_delta"):
    """The signature of a block of thoughts, at its end."""

    signature: str


class InputDelta(Struct, tag_field="type", tag="input_json_delta"):
    """A piece of the JSON of a call's input."""

    partial_json: str


class BlockDelta(Struct, tag_field="type", tag="content_block_delta"):
    """What is new in the open block."""

    index: int
    delta: TextDelta | ThinkingDelta | SignatureDelta | InputDelta


class BlockStop(Struct, tag_field="type", tag="content_block_stop"):
    """The open block is complete."""

    index: int


class Stopped(Struct, kw_only=True):
    """Why the answer ended. `truncated`, ours, is there where something of the conversation was
    dropped for room."""

    stop_reason: str
    stop_sequence: str | None
    truncated: bool | UnsetType = UNSET


class MessageDelta(Struct, kw_only=True, tag_field="type", tag="message_delta"):
    """How the answer ended, and what it took."""

    delta: Stopped
    usage: Usage
    context_management: Edits | UnsetType = UNSET


class MessageStop(Struct, tag_field="type", tag="message_stop"):
    """The last event of a stream."""


class Ping(Struct, tag_field="type", tag="ping"):
    """Nothing but a sign of life."""


STREAMED = (MessageStart, Ping, BlockStart, BlockDelta, BlockStop, MessageDelta, MessageStop)
"""The events of a stream; those of every token are written by the templates above."""


class TokenCount(Struct):
    """The answer of /v1/messages/count_tokens."""

    input_tokens: int


def messages_wire(order: MessagesRequest) -> Wire[Event]:
    """How /v1/messages writes its answer to this request."""
    asked = _Asked(
        model=order.model,
        stops=frozenset(order.stop_sequences),
        shows_thoughts=order.thinking is None or order.thinking.display != "omitted",
        calls_once=order.tool_choice is not None and order.tool_choice.disable_parallel_tool_use,
        estimate=estimate_tokens(order) if order.stream else 0,
        max_tokens=order.max_tokens or 0,
        edits=UNSET if order.context_management is None else Edits(),
    )
    stream = _Stream(asked)
    return Wire(
        piece=stream.piece,
        whole=lambda events: _encode(_whole(asked, events)),
        is_final=lambda event: isinstance(event, Done),
        is_alone=lambda event: False,
        envelope=ANTHROPIC,
        stream_type=EVENT_STREAM,
        headers=((b"cache-control", b"no-cache"),),
        idle=_PING,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What of the request counts for its answer."""

    model: str
    stops: frozenset[str]
    shows_thoughts: bool
    calls_once: bool
    estimate: int
    max_tokens: int
    edits: Edits | UnsetType


class _Stream:
    """One block is open at a time; what is of another kind closes it."""

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self._is_begun = False
        self._open: type[_Block] | None = None
        self._index = -1  # of the latest block
        self._has_called = False
        self._begun: set[str] = set()  # ids of calls: each is sent once

    def piece(self, event: Event) -> bytes:
        said = self._said(event)
        if not said or self._is_begun:
            return said
        self._is_begun = True
        return self._begin() + said

    def _said(self, event: Event) -> bytes:
        match event:
            case Content(text) if text:
                return self._into(TextBlock) + _TEXT % (self._index, _encode(text))
            case Thinking(text) if text:
                opening = self._into(ThinkingBlock)
                if not self._asked.shows_thoughts:
                    return opening
                return opening + _THOUGHT % (self._index, _encode(text))
            case CallBegun(id=id, name=name):
                self._begun.add(id)
                return self._close() + self._start(ToolUseBlock(id, name, {}))
            case CallArguments(text=text):
                return _INPUT % (self._index, _encode(text))
            case ToolCalls(calls):
                return b"".join(map(self._call, calls))
            case Done():
                end = _ending(self._asked, event, has_called=self._has_called)
                edits = self._asked.edits
                delta = MessageDelta(delta=end, usage=_usage(event), context_management=edits)
                return self._close() + _event("message_delta", delta) + _END
        return b""

    def _begin(self) -> bytes:
        usage = Usage(input_tokens=self._asked.estimate)
        start = MessageStart(MessageReply(id=_id(), model=self._asked.model, usage=usage))
        return _event("message_start", start) + _PING

    def _into(self, kind: type[TextBlock | ThinkingBlock]) -> bytes:
        """Have a block of this kind open; nothing to do while it is."""
        if self._open is kind:
            return b""
        empty = TextBlock("") if kind is TextBlock else ThinkingBlock("", "")
        return self._close() + self._start(empty)

    def _call(self, call: ToolCall) -> bytes:
        if call.id in self._begun:
            self._has_called = True
            return self._close()
        if self._has_called and self._asked.calls_once:
            return b""
        self._has_called = True
        self._begun.add(call.id)
        start = self._close() + self._start(ToolUseBlock(call.id, call.function.name, {}))
        written = _encode(call.function.arguments).decode()
        return start + _INPUT % (self._index, _encode(written)) + self._close()

    def _start(self, block: _Block) -> bytes:
        self._index += 1
        self._open = type(block)
        return _event("content_block_start", BlockStart(self._index, block))

    def _close(self) -> bytes:
        kind, self._open = self._open, None
        if kind is None:
            return b""
        signed = _SIGNATURE % (self._index, _encode(_signature())) if kind is ThinkingBlock else b""
        return signed + _STOP % self._index


def _whole(asked: _Asked, events: Sequence[Event]) -> MessageReply:
    blocks = [block for kind, run in groupby(events, type) for block in _blocks(asked, kind, run)]
    if asked.calls_once:
        blocks = _with_one_call(blocks)
    done = events[-1] if isinstance(events[-1], Done) else Done("stop")
    has_called = any(isinstance(block, ToolUseBlock) for block in blocks)
    end = _ending(asked, done, has_called=has_called)
    return MessageReply(
        id=_id(),
        model=asked.model,
        content=blocks,
        stop_reason=end.stop_reason,
        stop_sequence=end.stop_sequence,
        truncated=end.truncated,
        usage=_usage(done),
        context_management=asked.edits,
    )


def _blocks(asked: _Asked, kind: type[Event], run: Iterable[Event]) -> list[_Block]:
    """The blocks that events of one kind make, one after the other."""
    if kind is ToolCalls:
        calls = {
            call.id: call for event in run if isinstance(event, ToolCalls) for call in event.calls
        }
        return [
            ToolUseBlock(each.id, each.function.name, each.function.arguments)
            for each in calls.values()
        ]
    text = "".join(event.text for event in run if isinstance(event, Content | Thinking))
    if not text:
        return []
    if kind is Content:
        return [TextBlock(text)]
    return [ThinkingBlock(text if asked.shows_thoughts else "", _signature())]


def _with_one_call(blocks: list[_Block]) -> list[_Block]:
    calls = [at for at, block in enumerate(blocks) if isinstance(block, ToolUseBlock)]
    return [block for at, block in enumerate(blocks) if at not in calls[1:]]


def _ending(asked: _Asked, done: Done, *, has_called: bool) -> Stopped:
    truncated = done.truncated or UNSET
    if not has_called and done.stop in asked.stops:
        return Stopped(stop_reason="stop_sequence", stop_sequence=done.stop, truncated=truncated)
    reason = "tool_use" if has_called else _reason(asked, done)
    return Stopped(stop_reason=reason, stop_sequence=None, truncated=truncated)


def _reason(asked: _Asked, done: Done) -> str:
    if done.reason != "length":
        return "end_turn"
    is_full = done.eval_tokens < asked.max_tokens  # there was no room for as many as it might have
    return "model_context_window_exceeded" if is_full else "max_tokens"


def _usage(done: Done) -> Usage:
    return Usage(
        input_tokens=done.prompt_tokens - done.cached_tokens,
        cache_read_input_tokens=done.cached_tokens,
        output_tokens=done.eval_tokens,
    )


def _event(name: str, value: Struct) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(value))


def _id() -> str:
    return "msg_" + secrets.token_hex(12)


def _signature() -> str:
    return secrets.token_urlsafe(24)
