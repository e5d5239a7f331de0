"""From a request of the Anthropic API to the chat that it stands for.

Facts: compatibility spec, sections 8.1 to 8.3 and 9.7.
"""

from __future__ import annotations

from typing import Any

import msgspec

from puna.api.anthropic import JsonFormat, MessagesRequest, ThinkingConfig, Tool, ToolChoice
from puna.api.fields import Think
from puna.api.requests import ChatRequest, Message
from puna.errors import BadRequest, quoted
from puna.server.anthropic.content import read_blocks, read_messages, text_of

__all__ = ["check", "estimate_tokens", "to_chat"]

_LEVELS = {"low": "low", "medium": "medium", "high": "high", "max": "max", "xhigh": "high"}
_BYTES_PER_TOKEN = 4
_BILLING = "x-anthropic-billing-header:"

_encode = msgspec.json.Encoder().encode


def check(order: MessagesRequest, *, counts: bool = False) -> None:
    """Raises BadRequest where something needed is missing; to count, no length is needed."""
    if not order.model:
        raise BadRequest("model is required")
    if not counts and (order.max_tokens is None or order.max_tokens < 0):
        raise BadRequest("max_tokens is required and must be positive")
    if not order.messages:
        raise BadRequest("messages is required")


def to_chat(order: MessagesRequest) -> ChatRequest:
    """The chat that is asked for. Raises BadRequest for what cannot be one."""
    return ChatRequest(
        model=order.model,
        messages=[*_system(order.system), *read_messages(order.messages)],
        tools=[_function(tool) for tool in order.tools if not _is_search(tool)],
        tool_choice=_choice(order.tool_choice),
        parallel_tool_calls=not (order.tool_choice and order.tool_choice.disable_parallel_tool_use),
        call_pieces=order.stream,
        think=_think(order),
        think_if_able=True,
        thinking_budget=_budget(order),
        format=_format(order),
        options=_options(order),
        stream=order.stream,
    )


def estimate_tokens(order: MessagesRequest) -> int:
    """About how many tokens the prompt has, for the first event of a stream. The last one knows."""
    size = len(text_of(order.system).encode())
    for message in order.messages:
        size += len(message.role) + _size_of(message.content)
    for tool in order.tools:
        size += len(_encode([tool.name, tool.description, tool.input_schema]))
    return max(1, size // _BYTES_PER_TOKEN)


def _size_of(content: Any) -> int:
    if isinstance(content, str):
        return len(content.encode())
    return sum(
        len((block.text or block.thinking).encode()) or len(_encode([block.input, block.content]))
        for block in read_blocks(content)
        if block.type != "image"
    )


def _system(system: Any) -> list[Message]:
    """The system prompt, without what an agent tells its own vendor there, which may differ from
    request to request: prompts that begin alike are read once.
    """
    if isinstance(system, list):
        system = [block for block in system if not text_of([block]).startswith(_BILLING)]
    text = text_of(system)
    return [Message(role="system", content=text)] if text else []


def _options(order: MessagesRequest) -> dict[str, Any]:
    """What is left out stays as the model has it."""
    wanted = {
        "num_predict": order.max_tokens,
        "temperature": order.temperature,
        "top_p": order.top_p,
        "top_k": order.top_k,
        "stop": order.stop_sequences or None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _think(order: MessagesRequest) -> Think | None:
    """A plain yes or no counts before a level."""
    match order.thinking.type if order.thinking else "":
        case "enabled":
            return Think(True)
        case "disabled":
            return Think(False)
    effort = order.output_config.effort.strip().lower() if order.output_config else ""
    return Think(_LEVELS[effort]) if effort in _LEVELS else None


def _budget(order: MessagesRequest) -> int:
    """How many tokens it may think; 0 for no limit but that of the answer."""
    match order.thinking:
        case ThinkingConfig(type="enabled", budget_tokens=most):
            return max(0, most)
    return 0


def _format(order: MessagesRequest) -> dict[str, Any] | None:
    wanted = order.output_config.format if order.output_config else None
    match wanted or order.output_format:
        case None:
            return None
        case JsonFormat(type="json_schema", schema=schema):
            return schema
        case JsonFormat(type=other):
            raise BadRequest(f'invalid output format {quoted(other)}: it must be "json_schema"')


def _choice(choice: ToolChoice | None) -> Any:
    """As OpenAI's API has it. Raises BadRequest."""
    match choice:
        case None:
            return "auto"
        case ToolChoice(type="auto" | "none" as kind):
            return kind
        case ToolChoice(type="any"):
            return "required"
        case ToolChoice(type="tool", name=name):
            return {"type": "function", "function": {"name": name}}
    raise BadRequest(f"invalid tool_choice {quoted(choice.type)}")


def _is_search(tool: Tool) -> bool:
    """The web search that the API brings: nobody here could search."""
    return tool.type.startswith("web_search")


def _function(tool: Tool) -> dict[str, Any]:
    if not tool.name:
        raise BadRequest("tools: a tool needs a name")
    schema = tool.input_schema or {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": schema}
    return {"type": "function", "function": function}
