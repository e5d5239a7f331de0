"""Whether and which tools may be called, and how many: `tool_choice` and `parallel_tool_calls`.

Facts: compatibility spec, 9.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from puna.errors import InvalidField

__all__ = ["ToolChoice", "read_tool_choice"]

Tools = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """The tools that the model is shown, and whether its answer has to be a call of one."""

    tools: Tools
    must_call: bool = False


def read_tool_choice(tools: Sequence[dict[str, Any]], value: Any) -> ToolChoice:
    """Read `tool_choice` in the form of OpenAI's API. Raises InvalidField."""
    match value:
        case None | "" | "auto":
            return ToolChoice(list(tools))
        case "none":
            return ToolChoice([])
        case "required" | "any":
            return _forced(tools)
        case {"type": "function", "function": {"name": str(name)}}:
            return _forced(_named(tools, [name]))
        case {"type": "allowed_tools", "allowed_tools": {"tools": list(allowed)} as inner}:
            return read_tool_choice(_named(tools, map(_name, allowed)), inner.get("mode"))
    raise InvalidField(
        "invalid tool_choice: none, auto, required, a function or allowed_tools", "tool_choice"
    )


def _named(tools: Sequence[dict[str, Any]], names: Iterable[str]) -> Tools:
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


def _forced(tools: Sequence[dict[str, Any]]) -> ToolChoice:
    if not tools:
        raise InvalidField("tool_choice asks for a call, but there are no tools", "tool_choice")
    for tool in tools:
        _check(tool)
    return ToolChoice(list(tools), must_call=True)


def _check(tool: Any) -> None:
    match tool:
        case {"function": {"name": str(name), "parameters": dict() | None}} if name:
            return
        case {"function": {"name": str(name)} as function} if name and "parameters" not in function:
            return
    message = "a tool that must be called needs a name and a JSON Schema object"
    raise InvalidField(message, "tools")
