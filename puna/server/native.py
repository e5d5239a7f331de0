"""The native API's bytes: the replies of generate, chat and create as types, and the events that
become them.

Facts: API spec, sections 3.7, 3.8, 7.4, 7.5, 8.4, 17.4. Field order is the reference's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

import msgspec
from msgspec import Struct, field

from puna.api.events import (
    Answer,
    CallArguments,
    CallBegun,
    Content,
    Done,
    Event,
    Logprob,
    Progress,
    Rendered,
    Thinking,
    ToolCalls,
    Waiting,
)
from puna.api.requests import ToolCall
from puna.fmt import utc_stamp
from puna.server.faults import NATIVE
from puna.server.streams import BARE_JSON, Wire

__all__ = ["chat_wire", "collect", "generate_wire", "progress_wire"]

_encode = msgspec.json.Encoder().encode


class DebugInfo(Struct, kw_only=True, omit_defaults=True):
    """What `_debug_render_only` shows."""

    rendered_template: str
    image_count: int = 0


class GenerateReply(Struct, kw_only=True, omit_defaults=True):
    """An object of /api/generate. Fields with a default are left out where they have it."""

    model: str
    created_at: str
    response: str
    thinking: str = ""
    done: bool
    done_reason: str = ""
    context: tuple[int, ...] = ()
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_cached_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    truncated: bool = False
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[Logprob, ...] = ()
    debug_info: DebugInfo | None = field(default=None, name="_debug_info")


class WaitingReply(Struct, kw_only=True):
    """What a stream with `progress` says before its answer begins."""

    model: str
    created_at: str
    status: str = "waiting"
    position: int
    reason: str
    done: bool = False


class ReplyMessage(Struct, kw_only=True, omit_defaults=True):
    """The message of a chat's reply."""

    role: str
    content: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


class ChatReply(Struct, kw_only=True, omit_defaults=True):
    """An object of /api/chat."""

    model: str
    created_at: str
    message: ReplyMessage
    done: bool
    done_reason: str = ""
    debug_info: DebugInfo | None = field(default=None, name="_debug_info")
    logprobs: tuple[Logprob, ...] = ()
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_cached_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    truncated: bool = False


class _Figures(TypedDict):
    done_reason: str
    total_duration: int
    load_duration: int
    prompt_eval_count: int
    prompt_eval_cached_count: int
    prompt_eval_duration: int
    eval_count: int
    eval_duration: int
    truncated: bool


def generate_wire(model: str, now: Callable[[], int]) -> Wire[Event]:
    """How /api/generate writes its answer.

    `model` is spelled as the client did, `now` gives nanoseconds.
    """
    wire = _Generate(model, now)
    return Wire(wire.piece, wire.whole, _is_final, _is_alone, NATIVE)


def chat_wire(model: str, now: Callable[[], int]) -> Wire[Event]:
    """How /api/chat writes its answer."""
    wire = _Chat(model, now)
    return Wire(wire.piece, wire.whole, _is_final, _is_alone, NATIVE)


def progress_wire() -> Wire[Progress]:
    """How create, pull and push tell of their progress; unstreamed, only the last step is sent."""
    return Wire(
        piece=lambda step: _encode(step) + b"\n",
        whole=lambda steps: _encode(steps[-1]),
        is_final=lambda step: True,
        is_alone=lambda step: False,
        envelope=NATIVE,
        whole_type=BARE_JSON,
    )


def collect(events: Sequence[Event]) -> Answer:
    """Put an answer's events together. The last event is a Done or a Rendered."""
    text: list[str] = []
    thinking: list[str] = []
    calls: list[ToolCall] = []
    logprobs: list[Logprob] = []
    last: Done | Rendered = Done("stop")
    for event in events:
        match event:
            case Content(piece, entries):
                text.append(piece)
                logprobs += entries
            case Thinking(piece, entries):
                thinking.append(piece)
                logprobs += entries
            case ToolCalls(more):
                calls += more
            case Done() | Rendered():
                last = event
    return Answer("".join(text), "".join(thinking), tuple(calls), tuple(logprobs), last)


class _Generate:
    """Tool calls wait for the final object, where this route has its only place for them."""

    def __init__(self, model: str, now: Callable[[], int]) -> None:
        self._model = model
        self._now = now
        self._calls: tuple[ToolCall, ...] = ()

    def piece(self, event: Event) -> bytes:
        match event:
            case Content(text, logprobs):
                reply = self._reply(text, "", logprobs)
            case Thinking(text, logprobs):
                reply = self._reply("", text, logprobs)
            case ToolCalls(calls):
                self._calls += calls
                return b""
            case CallBegun() | CallArguments():
                return b""
            case Waiting():
                return _waiting(self._model, event, self._now())
            case Done():
                reply = self._done(Answer("", "", self._calls, (), event), event)
            case Rendered():
                reply = self._rendered(event)
        return _encode(reply) + b"\n"

    def whole(self, events: Sequence[Event]) -> bytes:
        answer = collect(events)
        last = answer.last
        return _encode(
            self._rendered(last) if isinstance(last, Rendered) else self._done(answer, last)
        )

    def _reply(self, text: str, thinking: str, logprobs: tuple[Logprob, ...]) -> GenerateReply:
        return GenerateReply(
            model=self._model,
            created_at=utc_stamp(self._now()),
            response=text,
            thinking=thinking,
            done=False,
            logprobs=logprobs,
        )

    def _done(self, answer: Answer, done: Done) -> GenerateReply:
        return GenerateReply(
            model=self._model,
            created_at=utc_stamp(self._now()),
            response=answer.text,
            thinking=answer.thinking,
            done=True,
            context=done.context or (),
            tool_calls=answer.tool_calls,
            logprobs=answer.logprobs,
            **_figures(done),
        )

    def _rendered(self, event: Rendered) -> GenerateReply:
        return GenerateReply(
            model=self._model,
            created_at=utc_stamp(self._now()),
            response="",
            done=False,
            debug_info=_debug_info(event),
        )


class _Chat:
    def __init__(self, model: str, now: Callable[[], int]) -> None:
        self._model = model
        self._now = now

    def piece(self, event: Event) -> bytes:
        match event:
            case Content(text, logprobs):
                reply = self._reply(ReplyMessage(role="assistant", content=text), logprobs)
            case Thinking(text, logprobs):
                message = ReplyMessage(role="assistant", content="", thinking=text)
                reply = self._reply(message, logprobs)
            case ToolCalls(calls):
                reply = self._reply(ReplyMessage(role="assistant", content="", tool_calls=calls))
            case CallBegun() | CallArguments():
                return b""
            case Waiting():
                return _waiting(self._model, event, self._now())
            case Done():
                reply = self._done(ReplyMessage(role="assistant", content=""), (), event)
            case Rendered():
                reply = self._rendered(event)
        return _encode(reply) + b"\n"

    def whole(self, events: Sequence[Event]) -> bytes:
        answer = collect(events)
        if isinstance(answer.last, Rendered):
            return _encode(self._rendered(answer.last))
        message = ReplyMessage(
            role="assistant",
            content=answer.text,
            thinking=answer.thinking,
            tool_calls=answer.tool_calls,
        )
        return _encode(self._done(message, answer.logprobs, answer.last))

    def _reply(self, message: ReplyMessage, logprobs: tuple[Logprob, ...] = ()) -> ChatReply:
        return ChatReply(
            model=self._model,
            created_at=utc_stamp(self._now()),
            message=message,
            done=False,
            logprobs=logprobs,
        )

    def _done(self, message: ReplyMessage, logprobs: tuple[Logprob, ...], done: Done) -> ChatReply:
        return ChatReply(
            model=self._model,
            created_at=utc_stamp(self._now()),
            message=message,
            done=True,
            logprobs=logprobs,
            **_figures(done),
        )

    def _rendered(self, event: Rendered) -> ChatReply:
        return ChatReply(
            model=self._model,
            created_at=utc_stamp(self._now()),
            message=ReplyMessage(role="", content=""),
            done=False,
            debug_info=_debug_info(event),
        )


def _waiting(model: str, event: Waiting, now: int) -> bytes:
    reply = WaitingReply(
        model=model, created_at=utc_stamp(now), position=event.position, reason=event.reason
    )
    return _encode(reply) + b"\n"


def _is_final(event: Event) -> bool:
    return isinstance(event, Done | Rendered)


def _is_alone(event: Event) -> bool:
    match event:
        case Done(reason):
            return reason in {"load", "unload"}
        case Rendered():
            return True
    return False


def _figures(done: Done) -> _Figures:
    return {
        "done_reason": done.reason,
        "total_duration": done.total_ns,
        "load_duration": done.load_ns,
        "prompt_eval_count": done.prompt_tokens,
        "prompt_eval_cached_count": done.cached_tokens,
        "prompt_eval_duration": done.prompt_ns,
        "eval_count": done.eval_tokens,
        "eval_duration": done.eval_ns,
        "truncated": done.truncated,
    }


def _debug_info(event: Rendered) -> DebugInfo:
    return DebugInfo(rendered_template=event.text, image_count=event.image_count)
