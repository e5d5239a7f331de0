"""The one stream of events that answers a request; every wire format is an encoding of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from puna.api.requests import ToolCall

__all__ = [
    "Answer",
    "CallArguments",
    "CallBegun",
    "Content",
    "Done",
    "DoneReason",
    "Event",
    "Logprob",
    "Progress",
    "Rendered",
    "Thinking",
    "ToolCalls",
    "Waiting",
]

DoneReason = Literal["stop", "length", "load", "unload"]


class Logprob(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One token and its natural-log probability; `top_logprobs` are the likeliest alternatives."""

    token: str
    logprob: float
    bytes: tuple[int, ...] = ()
    top_logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """A piece of the answer's text."""

    text: str
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Thinking:
    """A piece of the model's reasoning."""

    text: str
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """Complete calls, never fragments."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class CallBegun:
    """A call that is being written, number `index` of the answer. Only where pieces are wanted.

    It comes once more among ToolCalls, with the same id, when it is whole. One that is cut, or that
    turns out to be none, does not.
    """

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """More of the JSON text of a call's arguments."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """What `_debug_render_only` shows: the prompt as text. Nothing was generated."""

    text: str
    image_count: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a request waits for before its answer begins, where its client asked to be told.

    `position` counts from 1, over all requests that wait.
    """

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The end of an answer. Durations are nanoseconds; zero counts are left out on the wire.

    `cached_tokens` of the `prompt_tokens` were not computed again.
    `context` holds the tokens of prompt and answer where the route returns them, else None.
    `truncated`: something of the prompt or of the answer's beginning was dropped for room.
    `stop` is the stop word that ended the text, if one did. Of the `eval_tokens` about
    `thinking_tokens` were thoughts. `gaps` are the times between them, by class (gaps.py).
    """

    reason: DoneReason
    total_ns: int = 0
    load_ns: int = 0
    prompt_tokens: int = 0
    prompt_ns: int = 0
    eval_tokens: int = 0
    eval_ns: int = 0
    context: tuple[int, ...] | None = None
    cached_tokens: int = 0
    truncated: bool = False
    stop: str = ""
    thinking_tokens: int = 0
    gaps: tuple[int, ...] = ()


Event = Waiting | Content | Thinking | CallBegun | CallArguments | ToolCalls | Rendered | Done


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, collected from its events (for replies that are not streamed)."""

    text: str
    thinking: str
    tool_calls: tuple[ToolCall, ...]
    logprobs: tuple[Logprob, ...]
    last: Done | Rendered


class Progress(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One step of create, pull or push. Sizes in bytes."""

    status: str
    digest: str = ""
    total: int = 0
    completed: int = 0
