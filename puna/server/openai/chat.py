"""The bytes of /v1/chat/completions. Facts: compatibility spec, 2.5 to 2.7."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

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
    Waiting,
)
from puna.api.requests import ToolCall
from puna.server.faults import OPENAI
from puna.server.native import collect
from puna.server.openai.choices import Numbered
from puna.server.openai.replies import (
    END,
    FINGERPRINT,
    IDLE,
    DebugInfo,
    Usage,
    bytes_of,
    encode,
    new_id,
    sse,
    usage_of,
)
from puna.server.streams import EVENT_STREAM, Wire

__all__ = ["chat_wire"]


class Called(Struct):
    """The function of a call; the arguments are JSON inside a text."""

    name: str
    arguments: str


class Call(Struct, kw_only=True):
    """One call."""

    id: str
    index: int
    type: str = "function"
    function: Called


class CalledPiece(Struct, kw_only=True, omit_defaults=True):
    """More of a function's arguments; its name comes first."""

    name: str = ""
    arguments: str


class CallPiece(Struct, kw_only=True, omit_defaults=True):
    """A call, or more of one that has begun."""

    id: str = ""
    index: int
    type: str = ""
    function: CalledPiece


class TopLogprob(Struct):
    """An alternative."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprob(Struct):
    """A token, how likely it was, and the likeliest instead of it."""

    token: str
    logprob: float
    bytes: list[int] | None
    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(Struct):
    """The tokens of an answer or of a piece."""

    content: list[TokenLogprob]
    refusal: None = None


class Delta(Struct, kw_only=True, omit_defaults=True):
    """What is new. Clients read one of the two names of reasoning."""

    role: str = ""
    content: str | UnsetType = UNSET
    reasoning: str = ""
    reasoning_content: str = ""
    tool_calls: list[CallPiece] = field(default_factory=list)
    function_call: CalledPiece | UnsetType = UNSET


class ChunkChoice(Struct, kw_only=True):
    """A choice's part of a chunk. `truncated`, ours, comes with the last where something of the
    conversation was dropped for room."""

    index: int
    delta: Delta
    finish_reason: str | None = None
    logprobs: ChoiceLogprobs | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET


class Chunk(Struct, kw_only=True):
    """One event of a stream."""

    id: str
    object: str = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str = FINGERPRINT
    choices: list[ChunkChoice]
    usage: Usage | UnsetType | None = UNSET
    service_tier: str | UnsetType = UNSET


class ReplyMessage(Struct, kw_only=True, omit_defaults=True):
    """A whole answer."""

    role: str
    content: str
    reasoning: str = ""
    reasoning_content: str = ""
    tool_calls: list[Call] = field(default_factory=list)
    function_call: Called | UnsetType = UNSET


class ReplyChoice(Struct, kw_only=True):
    """One of the answers. `truncated` is as in a chunk."""

    index: int
    message: ReplyMessage
    finish_reason: str | None
    logprobs: ChoiceLogprobs | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET


class Completion(Struct, kw_only=True):
    """The reply that is not streamed."""

    id: str
    object: str = "chat.completion"
    created: int
    model: str
    system_fingerprint: str = FINGERPRINT
    choices: list[ReplyChoice]
    usage: Usage
    service_tier: str | UnsetType = UNSET
    debug_info: DebugInfo | UnsetType = field(default=UNSET, name="_debug_info")


def chat_wire(
    model: str,
    created: int,
    choices: int,
    *,
    include_usage: bool,
    is_older: bool = False,
    has_tier: bool = False,
) -> Wire[Numbered]:
    """How the answer is written. `model` is spelled as the client did. With `is_older` a call is
    a `function_call`, as clients that send `functions` expect it. With `has_tier` the service tier
    is named, of which there is one.
    """
    wire = _Chat(
        model, created, choices, include_usage=include_usage, is_older=is_older, has_tier=has_tier
    )
    return Wire(
        piece=wire.piece,
        whole=wire.whole,
        is_final=lambda told: isinstance(told[1], Done | Rendered),
        is_alone=lambda told: isinstance(told[1], Rendered),
        envelope=OPENAI,
        stream_type=EVENT_STREAM,
        idle=IDLE,
    )


class _Chat:
    def __init__(
        self,
        model: str,
        created: int,
        choices: int,
        *,
        include_usage: bool,
        is_older: bool,
        has_tier: bool,
    ) -> None:
        self._id = new_id("chatcmpl")
        self._model = model
        self._created = created
        self._include_usage = include_usage
        self._is_older = is_older
        self._tier = "default" if has_tier else UNSET
        self._has_begun = [False] * choices
        self._calls = [0] * choices
        self._has_called = [False] * choices
        self._begun: list[set[str]] = [set() for _ in range(choices)]
        """The ids of each choice's calls that came in pieces."""
        self._ends: dict[int, Done] = {}

    def piece(self, told: Numbered) -> bytes:
        index, event = told
        match event:
            case Content(text, logprobs):
                if not text and not logprobs:
                    return b""
                return self._chunk(index, Delta(content=text), logprobs)
            case Thinking(text, logprobs):
                delta = Delta(content="", reasoning=text, reasoning_content=text)
                return self._chunk(index, delta, logprobs)
            case CallBegun(id=id, name=name):
                self._begun[index].add(id)
                begun = _piece(id, self._calls[index], name)
                self._calls[index] += 1
                return self._chunk(index, Delta(content="", tool_calls=[begun]))
            case CallArguments(text=text):
                latest = self._calls[index] - 1
                more = CallPiece(index=latest, function=CalledPiece(arguments=text))
                return self._chunk(index, Delta(tool_calls=[more]))
            case ToolCalls(calls):
                self._has_called[index] = True
                new = [each for each in calls if each.id not in self._begun[index]]
                made = [
                    _piece(call.id, at, call.function.name, _text(call.function.arguments))
                    for at, call in enumerate(new, self._calls[index])
                ]
                self._calls[index] += len(made)
                return self._chunk(index, Delta(content="", tool_calls=made)) if made else b""
            case Done():
                return self._end(index, event)
            case Rendered() | Waiting():
                return b""

    def _chunk(self, index: int, delta: Delta, logprobs: tuple[Logprob, ...] = ()) -> bytes:
        if not self._has_begun[index]:
            self._has_begun[index] = True
            delta.role = "assistant"
        if self._is_older and delta.tool_calls:
            delta.function_call, delta.tool_calls = delta.tool_calls[0].function, []
        choice = ChunkChoice(index=index, delta=delta, logprobs=_logprobs(logprobs))
        return self._sse([choice])

    def _end(self, index: int, done: Done) -> bytes:
        out = b"" if self._has_begun[index] else self._chunk(index, Delta(content=""))
        reason = _reason(done, is_older=self._is_older, has_called=self._has_called[index])
        last = ChunkChoice(index=index, delta=Delta(), finish_reason=reason)
        last.truncated = done.truncated or UNSET
        out += self._sse([last])
        self._ends[index] = done
        if len(self._ends) < len(self._has_begun):
            return out
        if self._include_usage:
            out += self._sse([], usage_of(self._ends.values()))
        return out + END

    def _sse(self, choices: list[ChunkChoice], usage: Usage | None = None) -> bytes:
        return sse(
            Chunk(
                id=self._id,
                created=self._created,
                model=self._model,
                choices=choices,
                usage=usage or (None if self._include_usage else UNSET),
                service_tier=self._tier,
            )
        )

    def whole(self, events: Sequence[Numbered]) -> bytes:
        if isinstance(events[-1][1], Rendered):
            return self._rendered(events[-1][1])
        split: list[list[Event]] = [[] for _ in self._has_begun]
        for index, event in events:
            split[index].append(event)
        answers = [
            _answer(index, each, is_older=self._is_older) for index, each in enumerate(split)
        ]
        return encode(
            Completion(
                id=self._id,
                created=self._created,
                model=self._model,
                choices=[choice for choice, _ in answers],
                usage=usage_of(done for _, done in answers),
                service_tier=self._tier,
            )
        )

    def _rendered(self, event: Rendered) -> bytes:
        message = ReplyMessage(role="assistant", content="")
        return encode(
            Completion(
                id=self._id,
                created=self._created,
                model=self._model,
                choices=[ReplyChoice(index=0, message=message, finish_reason=None)],
                usage=usage_of([]),
                debug_info=DebugInfo(event.text, event.image_count),
            )
        )


def _answer(index: int, events: Sequence[Event], *, is_older: bool) -> tuple[ReplyChoice, Done]:
    answer = collect(events)
    done = answer.last if isinstance(answer.last, Done) else Done("stop")
    calls = _calls(answer.tool_calls)
    message = ReplyMessage(
        role="assistant",
        content=answer.text,
        reasoning=answer.thinking,
        reasoning_content=answer.thinking,
        tool_calls=[] if is_older else calls,
        function_call=calls[0].function if is_older and calls else UNSET,
    )
    choice = ReplyChoice(
        index=index,
        message=message,
        finish_reason=_reason(done, is_older=is_older, has_called=bool(answer.tool_calls)),
        logprobs=_logprobs(answer.logprobs),
        truncated=done.truncated or UNSET,
    )
    return choice, done


def _reason(done: Done, *, is_older: bool, has_called: bool) -> str:
    if done.reason != "stop" or not has_called:
        return done.reason
    return "function_call" if is_older else "tool_calls"


def _piece(id: str, index: int, name: str, arguments: str = "") -> CallPiece:
    function = CalledPiece(name=name, arguments=arguments)
    return CallPiece(id=id, index=index, type="function", function=function)


def _calls(calls: Sequence[ToolCall]) -> list[Call]:
    return [
        Call(
            id=call.id,
            index=at,
            function=Called(call.function.name, _text(call.function.arguments)),
        )
        for at, call in enumerate(calls)
    ]


def _text(arguments: dict[str, Any]) -> str:
    return msgspec.json.encode(arguments).decode()


def _logprobs(tokens: Sequence[Logprob]) -> ChoiceLogprobs | UnsetType:
    return ChoiceLogprobs([_token(each) for each in tokens]) if tokens else UNSET


def _token(each: Logprob) -> TokenLogprob:
    top = [TopLogprob(other.token, other.logprob, bytes_of(other)) for other in each.top_logprobs]
    return TokenLogprob(each.token, each.logprob, bytes_of(each), top)
