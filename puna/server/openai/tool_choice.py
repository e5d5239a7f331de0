"""Whether and which tools may be called: `tool_choice` and `parallel_tool_calls`.

An answer that must be a call is held to the JSON of one, which then becomes the call: this works
with every model, whatever form its own calls have. Facts: compatibility spec, 9.2.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from puna.api.events import Content, Done, Event, ToolCalls
from puna.api.requests import FunctionCall, ToolCall
from puna.errors import InvalidField

__all__ = ["Choice", "first_call", "forced_call", "read_tool_choice"]

_ANYTHING: dict[str, Any] = {"type": "object"}


@dataclass(frozen=True, slots=True)
class Choice:
    """The tools that the model is shown, and what its answer is held to if it must call one."""

    tools: list[dict[str, Any]]
    schema: dict[str, Any] | None = None


def read_tool_choice(tools: Sequence[dict[str, Any]], value: Any) -> Choice:
    """Read `tool_choice`. Raises InvalidField."""
    match value:
        case None | "" | "auto":
            return Choice(list(tools))
        case "none":
            return Choice([])
        case "required" | "any":
            return _forced(tools)
        case {"type": "function", "function": {"name": str(name)}}:
            return _forced(_named(tools, [name]))
        case {"type": "allowed_tools", "allowed_tools": {"tools": list(allowed)} as inner}:
            return read_tool_choice(_named(tools, map(_name, allowed)), inner.get("mode"))
    raise InvalidField(
        "invalid tool_choice: none, auto, required, a function or allowed_tools", "tool_choice"
    )


def _named(tools: Sequence[dict[str, Any]], names: Any) -> list[dict[str, Any]]:
    by_name = {_name(tool): tool for tool in tools}
    wanted = list(names)
    for name in wanted:
        if not name or name not in by_name:
            raise InvalidField(
                f"tool_choice names a tool that is not in tools: {name}", "tool_choice"
            )
    return [by_name[name] for name in wanted]


def _name(tool: Any) -> str:
    match tool:
        case {"function": {"name": str(name)}}:
            return name
    return ""


def _forced(tools: Sequence[dict[str, Any]]) -> Choice:
    if not tools:
        raise InvalidField("tool_choice asks for a call, but there are no tools", "tool_choice")
    calls = [_call_schema(tool) for tool in tools]
    return Choice(list(tools), calls[0] if len(calls) == 1 else {"anyOf": calls})


def _call_schema(tool: dict[str, Any]) -> dict[str, Any]:
    match tool:
        case {"function": {"name": str(name), "parameters": dict(parameters)}} if parameters:
            pass
        case {"function": {"name": str(name), "parameters": None | {}}}:
            parameters = _ANYTHING
        case {"function": {"name": str(name)} as function} if "parameters" not in function:
            parameters = _ANYTHING
        case _:
            message = "a tool that must be called needs a name and a JSON Schema object"
            raise InvalidField(message, "tools")
    return {
        "type": "object",
        "properties": {"name": {"const": name}, "arguments": parameters},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


async def forced_call(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """An answer that is the JSON of a call becomes that call; one that was cut stays text."""
    held: list[Content] = []
    async with aclosing(events) as source:
        async for event in source:
            if isinstance(event, Content):
                held.append(event)
                continue
            if isinstance(event, Done):
                yield _as_call(held)
            yield event


def _as_call(held: Sequence[Content]) -> Event:
    text = "".join(piece.text for piece in held)
    try:
        call = json.loads(text)
        function = FunctionCall(name=call["name"], arguments=call["arguments"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return Content(text, tuple(each for piece in held for each in piece.logprobs))
    return ToolCalls((ToolCall(id=f"call_{secrets.token_hex(12)}", function=function),))


async def first_call(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The answer without calls after its first."""
    has_called = False
    async with aclosing(events) as source:
        async for event in source:
            if isinstance(event, ToolCalls):
                if not has_called:
                    yield ToolCalls(event.calls[:1])
                has_called = True
            else:
                yield event
