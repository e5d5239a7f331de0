"""Requests of the OpenAI API as native ones. Facts: compatibility spec, 2.1, 2.4, 3.1, 4 and 9."""

from __future__ import annotations

from typing import Any

from puna.api.fields import Think
from puna.api.openai import ChatCompletionRequest, CompletionRequest, EmbeddingRequest
from puna.api.requests import ChatRequest, EmbedRequest, GenerateRequest, Tokens
from puna.errors import InvalidField
from puna.server.openai.guides import read_guide
from puna.server.openai.messages import read_messages
from puna.server.openai.options import check_choices, options_of, seeded, think_of

__all__ = ["chat_orders", "embed_order", "generate_orders"]

_TOKEN_LIMIT = 2**31


def chat_orders(order: ChatCompletionRequest) -> list[ChatRequest]:
    """One order for each choice. Raises BadRequest."""
    check_choices(order.n)
    if not order.messages:
        raise InvalidField("[] is too short - 'messages'", "messages")
    if "audio" in order.modalities:
        raise InvalidField("answers are text only", "modalities", "unsupported_value")
    messages = read_messages(order.messages)
    stop = [order.stop] if isinstance(order.stop, str) else order.stop
    words = [word for word in stop if isinstance(word, str)] if isinstance(stop, list) else []
    most = order.max_tokens if order.max_completion_tokens is None else order.max_completion_tokens
    options = options_of(order, words, most)
    guide = read_guide(order, _format(order.response_format))
    tools, choice = _tools(order)
    return [
        ChatRequest(
            model=order.model,
            messages=messages,
            tools=tools,
            tool_choice=choice,
            parallel_tool_calls=order.parallel_tool_calls and not order.is_older,
            call_pieces=order.stream,
            format=guide.format,
            grammar=guide.grammar,
            regex=guide.regex,
            keep_alive=order.keep_alive,
            options=seeded(options, number),
            think=think_of(order),
            thinking_budget=order.thinking_budget,
            truncate=order.truncate,
            shift=order.shift,
            logprobs=order.logprobs,
            top_logprobs=order.top_logprobs,
            debug_render_only=order.debug_render_only,
        )
        for number in range(order.n)
    ]


def _tools(order: ChatCompletionRequest) -> tuple[list[dict[str, Any]], Any]:
    """The tools and which of them may be called; `functions` is the older form. Raises
    InvalidField."""
    if not order.is_older:
        return order.tools, order.tool_choice
    tools = [{"type": "function", "function": function} for function in order.functions]
    match order.function_call:
        case None | "auto" | "none" as choice:
            return tools, choice
        case {"name": str(name)}:
            return tools, {"type": "function", "function": {"name": name}}
    raise InvalidField(
        'function_call must be "none", "auto" or the name of a function', "function_call"
    )


def _format(value: dict[str, Any] | None) -> Any:
    """What holds the answer to JSON; None for free text."""
    kind = value.get("type") if value else None
    match kind.strip().lower() if isinstance(kind, str) else None, value:
        case "json_schema", {"json_schema": {"schema": schema}}:
            return _schema(schema, "response_format.json_schema.schema")
        case "json_object", {"schema": schema}:
            return _schema(schema, "response_format.schema")
        case "json_object", _:
            return "json"
    return None


def _schema(value: Any, param: str) -> Any:
    if value is not None and not isinstance(value, dict):
        raise InvalidField("invalid format: expected a JSON Schema object", param)
    return value


def generate_orders(order: CompletionRequest) -> list[GenerateRequest]:
    """One order for each choice of each prompt, prompt by prompt. Raises BadRequest."""
    prompts = _prompts(order.prompt)
    check_choices(order.n * max(1, len(prompts)))
    check_choices(order.n)
    if order.best_of > order.n:
        raise InvalidField("best_of is not supported", "best_of", "unsupported_parameter")
    if order.echo and order.logprobs:
        message = "echo with logprobs is not supported: prompts have no logprobs"
        raise InvalidField(message, "echo", "unsupported_parameter")
    if order.echo and any(isinstance(prompt, Tokens) for prompt in prompts):
        raise InvalidField("echo takes prompts that are texts", "echo", "unsupported_parameter")
    options = options_of(order, _stop_words(order.stop), order.max_tokens)
    guide = read_guide(order)
    return [
        GenerateRequest(
            model=order.model,
            prompt="" if isinstance(prompt, Tokens) else prompt,
            tokens=list(prompt) if isinstance(prompt, Tokens) else [],
            raw=order.raw or isinstance(prompt, Tokens),
            suffix=order.suffix,
            format=guide.format,
            grammar=guide.grammar,
            regex=guide.regex,
            keep_alive=order.keep_alive,
            options=seeded(options, number),
            think=order.think or Think(False),
            thinking_budget=order.thinking_budget,
            truncate=order.truncate,
            shift=order.shift,
            logprobs=order.logprobs > 0,
            top_logprobs=order.logprobs,
            debug_render_only=order.debug_render_only,
        )
        for prompt in prompts
        for number in range(order.n)
    ]


def _prompts(value: Any) -> list[str | Tokens]:
    if value is None:
        return [""]
    prompts = _texts(value)
    if not prompts:
        raise InvalidField("invalid prompt: a text, tokens, or a list of them", "prompt")
    return prompts


def _texts(value: Any) -> list[str | Tokens]:
    """One text or list of tokens, or a list of those; empty for anything else."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return []
    if one := _tokens(value):
        return [one]
    out = [each if isinstance(each, str) else _tokens(each) for each in value]
    return [] if None in out else [each for each in out if each is not None]


def _tokens(value: Any) -> Tokens | None:
    if not isinstance(value, list) or not value:
        return None
    are_tokens = all(type(each) is int and 0 <= each < _TOKEN_LIMIT for each in value)
    return Tokens(value) if are_tokens else None


def _stop_words(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            for each in value:
                if not isinstance(each, str):
                    kind = "float64" if isinstance(each, int | float) else type(each).__name__
                    raise InvalidField(f"invalid type for 'stop' field: {kind}", "stop")
            return value
    return []


def embed_order(order: EmbeddingRequest) -> EmbedRequest:
    """The native order. Raises InvalidField, for the encoding before the input."""
    if order.encoding_format.lower() not in {"float", "base64"}:
        raise InvalidField(
            f"Invalid value for 'encoding_format' = {order.encoding_format}. "
            "Supported values: ['float', 'base64'].",
            "encoding_format",
        )
    if order.input in (None, []):
        raise InvalidField("invalid input", "input")
    inputs = _texts(order.input)
    if not inputs:
        raise InvalidField("invalid input type", "input")
    return EmbedRequest(
        model=order.model,
        input=inputs,
        truncate=order.truncate,
        dimensions=order.dimensions,
        keep_alive=order.keep_alive,
        options=order.options,
        priority=order.priority,
    )
