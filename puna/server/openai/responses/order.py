"""A request for a response as a chat. Facts: compatibility spec, 6.1 and 9.6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from puna.api.fields import Think
from puna.api.openai_responses import ResponsesRequest
from puna.api.requests import ChatRequest, Message
from puna.errors import InvalidField
from puna.server.openai.guides import read_guide
from puna.server.openai.options import level_of, options_of
from puna.server.openai.responses.items import Item, read_instructions, read_items
from puna.server.openai.responses.tools import Toolbox, chat_choice, read_tools

__all__ = ["LOGPROBS", "Asked", "check_request", "read_request"]

LOGPROBS = "message.output_text.logprobs"  # in `include`

_MOST_PAIRS, _LONGEST_KEY, _LONGEST_VALUE = 16, 64, 512
_TRUNCATION = {"auto": None, "disabled": False}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, as a chat, and the tools that its calls are of."""

    order: ChatRequest
    tools: Toolbox


def check_request(order: ResponsesRequest) -> None:
    """Raises InvalidField for what cannot be done here, and for values that mean nothing."""
    if order.background:
        _refuse("background", "responses are not made in the background")
    if order.conversation is not None:
        _refuse("conversation", "conversations are not kept: use previous_response_id")
    if order.prompt is not None:
        _refuse("prompt", "there are no prompt templates here: send instructions and input")
    if order.truncation is not None and order.truncation not in _TRUNCATION:
        raise InvalidField('truncation must be "auto" or "disabled"', "truncation")
    if order.max_output_tokens is not None and order.max_output_tokens < 1:
        raise InvalidField("max_output_tokens must be at least 1", "max_output_tokens")
    _check_metadata(order.metadata)


def _refuse(param: str, message: str) -> None:
    raise InvalidField(message, param, "unsupported_parameter")


def _check_metadata(pairs: dict[str, Any]) -> None:
    fits = len(pairs) <= _MOST_PAIRS and all(
        isinstance(value, str) and len(key) <= _LONGEST_KEY and len(value) <= _LONGEST_VALUE
        for key, value in pairs.items()
    )
    if not fits:
        raise InvalidField(
            f"metadata holds at most {_MOST_PAIRS} texts of {_LONGEST_VALUE} characters "
            f"under names of {_LONGEST_KEY}",
            "metadata",
        )


def read_request(order: ResponsesRequest, earlier: Sequence[Item], items: Sequence[Item]) -> Asked:
    """The chat that continues `earlier` items with those of the request. Raises BadRequest."""
    tools = read_tools(order.tools)
    instructions = read_instructions(order.instructions)
    messages = read_items([*earlier, *items], len(earlier))
    if instructions:
        messages.insert(0, Message(role="system", content=instructions))
    truncate = order.truncate
    if truncate is None:
        truncate = _TRUNCATION[order.truncation or "disabled"]
    guide = read_guide(order, _format(order))
    chat = ChatRequest(
        model=order.model,
        messages=messages,
        tools=tools.functions,
        tool_choice=chat_choice(order.tool_choice),
        parallel_tool_calls=order.parallel_tool_calls,
        call_pieces=order.stream,
        format=guide.format,
        grammar=guide.grammar,
        regex=guide.regex,
        keep_alive=order.keep_alive,
        options=_options(order),
        think=_think(order),
        truncate=truncate,
        shift=order.shift,
        logprobs=LOGPROBS in order.include or order.top_logprobs > 0,
        top_logprobs=order.top_logprobs,
        debug_render_only=order.debug_render_only,
    )
    return Asked(chat, tools)


def _options(order: ResponsesRequest) -> dict[str, Any]:
    """Unlike other routes of this API, `top_p` has no value of its own where it is left out."""
    options = options_of(order, [], order.max_output_tokens)
    if order.top_p is None and "top_p" not in order.options:
        del options["top_p"]
    return options


def _think(order: ResponsesRequest) -> Think | None:
    if order.reasoning is not None:
        return level_of(order.reasoning.effort or "", "reasoning.effort")
    return order.think


def _format(order: ResponsesRequest) -> Any:
    """What holds the answer to JSON; None for free text."""
    match order.text.format if order.text else None:
        case {"type": "json_schema", "schema": dict(schema)}:
            return schema
        case {"type": "json_schema", "schema": other} if other is not None:
            message = "invalid format: expected a JSON Schema object"
            raise InvalidField(message, "text.format.schema")
        case {"type": "json_object"}:
            return "json"
    return None
