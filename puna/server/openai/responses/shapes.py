"""A response and its items as they are written. Facts: compatibility spec, 6.4, 6.5 and 9.6."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType, field

from puna.api.events import Done, Logprob
from puna.api.openai_responses import ResponsesRequest
from puna.server.openai.replies import DebugInfo, bytes_of
from puna.server.openai.responses.tools import CallItem

__all__ = [
    "Deleted",
    "InputTokens",
    "Item",
    "ItemPage",
    "MessageItem",
    "OutputText",
    "ReasoningItem",
    "Response",
    "ResponseLogprob",
    "ResponseUsage",
    "SummaryText",
    "make_response",
    "new_item_id",
    "token_logprobs",
    "usage_of",
]


class ResponseTopLogprob(Struct):
    """A token that could have been instead."""

    token: str
    bytes: list[int]
    logprob: float


class ResponseLogprob(Struct):
    """A token, how likely it was, and the likeliest instead of it."""

    token: str
    bytes: list[int]
    logprob: float
    top_logprobs: list[ResponseTopLogprob]


class OutputText(Struct, tag_field="type", tag="output_text"):
    """The text of a message."""

    text: str
    annotations: list[str] = field(default_factory=list)
    logprobs: list[ResponseLogprob] = field(default_factory=list)


class MessageItem(Struct, kw_only=True, tag_field="type", tag="message"):
    """What the model says."""

    id: str
    status: str
    role: str = "assistant"
    content: list[OutputText] = field(default_factory=list)


class SummaryText(Struct, tag_field="type", tag="summary_text"):
    """The thoughts."""

    text: str


class ReasoningItem(Struct, kw_only=True, tag_field="type", tag="reasoning"):
    """What the model thinks. A client that keeps the history sends `encrypted_content` back."""

    id: str
    summary: list[SummaryText] = field(default_factory=list)
    encrypted_content: str | UnsetType = UNSET


Item = MessageItem | ReasoningItem | CallItem


class InputDetails(Struct):
    """Of the tokens of the input."""

    cached_tokens: int
    cache_write_tokens: int = 0


class OutputDetails(Struct):
    """Of the tokens of the output."""

    reasoning_tokens: int


class ResponseUsage(Struct, kw_only=True):
    """What a response took, in tokens."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class Reason(Struct):
    """Why a response is not complete."""

    reason: str


class Deleted(Struct, kw_only=True):
    """That a response is forgotten."""

    id: str
    object: str = "response"
    deleted: bool = True


class InputTokens(Struct, kw_only=True):
    """How long an input is."""

    object: str = "response.input_tokens"
    input_tokens: int


class ItemPage(Struct, kw_only=True):
    """A part of a list of items, as they are stored."""

    object: str = "list"
    data: list[Raw]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Trouble(Struct):
    """Why a response failed."""

    code: str
    message: str


class Response(Struct, kw_only=True):
    """A response, at its beginning or at its end, where `truncated`, ours, says that something of
    the conversation was dropped for room."""

    id: str
    object: str = "response"
    created_at: int
    completed_at: int | None = None
    status: str = "in_progress"
    background: bool = False
    error: Trouble | None = None
    incomplete_details: Reason | None = None
    instructions: Any
    max_output_tokens: int | None
    max_tool_calls: int | None
    model: str
    output: list[Item] = field(default_factory=list)
    parallel_tool_calls: bool
    previous_response_id: str | None
    prompt_cache_key: str | None
    reasoning: dict[str, str | None] | None
    safety_identifier: str | None
    service_tier: str
    store: bool
    temperature: float
    text: dict[str, Any]
    tool_choice: Any
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float
    presence_penalty: float = 0
    frequency_penalty: float = 0
    truncation: str
    truncated: bool | UnsetType = UNSET
    usage: ResponseUsage | None = None
    user: str | None
    metadata: dict[str, Any]
    debug_info: DebugInfo | UnsetType = field(default=UNSET, name="_debug_info")


def make_response(order: ResponsesRequest, created: int, *, is_stored: bool) -> Response:
    """The response at its beginning, with everything of the request that it repeats."""
    text: dict[str, Any] = {"format": {"type": "text"}}
    if order.text is not None:
        text = {"format": order.text.format or text["format"]}
        if order.text.verbosity is not None:
            text["verbosity"] = order.text.verbosity
    reasoning = order.reasoning
    return Response(
        id=f"resp_{secrets.token_hex(24)}",
        created_at=created,
        instructions=order.instructions,
        max_output_tokens=order.max_output_tokens,
        max_tool_calls=order.max_tool_calls,
        model=order.model,
        parallel_tool_calls=order.parallel_tool_calls,
        previous_response_id=order.previous_response_id or None,
        prompt_cache_key=order.prompt_cache_key,
        reasoning={"effort": reasoning.effort, "summary": reasoning.summary} if reasoning else None,
        safety_identifier=order.safety_identifier,
        service_tier="default",
        store=is_stored,
        temperature=1.0 if order.temperature is None else order.temperature,
        text=text,
        tool_choice="auto" if order.tool_choice is None else order.tool_choice,
        tools=order.tools,
        top_logprobs=order.top_logprobs,
        top_p=1.0 if order.top_p is None else order.top_p,
        truncation=order.truncation or "disabled",
        user=order.user,
        metadata=order.metadata,
    )


def new_item_id(kind: str) -> str:
    """An id that nobody else has: `msg_…`."""
    return f"{kind}_{secrets.token_hex(16)}"


def usage_of(done: Done) -> ResponseUsage:
    """The figures of a response. Tokens of the input that were cached are part of the input's."""
    return ResponseUsage(
        input_tokens=done.prompt_tokens,
        input_tokens_details=InputDetails(done.cached_tokens),
        output_tokens=done.eval_tokens,
        output_tokens_details=OutputDetails(done.thinking_tokens),
        total_tokens=done.prompt_tokens + done.eval_tokens,
    )


def token_logprobs(tokens: Sequence[Logprob]) -> list[ResponseLogprob]:
    """Log probabilities in this API's form."""
    return [
        ResponseLogprob(
            each.token,
            bytes_of(each) or [],
            each.logprob,
            [
                ResponseTopLogprob(top.token, bytes_of(top) or [], top.logprob)
                for top in each.top_logprobs
            ],
        )
        for each in tokens
    ]
