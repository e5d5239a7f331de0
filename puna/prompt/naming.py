"""Tools under other names in prompts: some families' functions are called by identifiers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from puna.api.requests import Message

__all__ = ["renamed_messages", "renamed_tools"]


def renamed_tools(
    tools: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> Sequence[Mapping[str, Any]]:
    """The tools as a prompt shows them."""
    return [_renamed(tool, names) for tool in tools] if names else tools


def _renamed(tool: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    function = tool.get("function")
    if not isinstance(function, Mapping) or function.get("name") not in names:
        return tool
    return {**tool, "function": {**function, "name": names[function["name"]]}}


def renamed_messages(messages: Sequence[Message], names: Mapping[str, str]) -> list[Message]:
    """The messages with the tools' names in calls and results."""
    if not names:
        return list(messages)
    return [
        replace(
            message,
            tool_name=names.get(message.tool_name, message.tool_name),
            tool_calls=[
                replace(
                    call,
                    function=replace(
                        call.function, name=names.get(call.function.name, call.function.name)
                    ),
                )
                for call in message.tool_calls
            ],
        )
        for message in messages
    ]
