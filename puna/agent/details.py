"""A conversation with all that the screen leaves out: thoughts, calls and whole results."""

from __future__ import annotations

import json
from collections.abc import Sequence

from puna.agent.approvals import visible
from puna.client.fields import Json, as_object, as_text

__all__ = ["details"]


def details(messages: Sequence[Json]) -> str:
    """What was said, thought, called and returned, in order, and safe to show."""
    return visible("\n\n".join(part for message in messages for part in _parts(message)))


def _parts(message: Json) -> list[str]:
    content = as_text(message, "content")
    match message.get("role"):
        case "user":
            return [_marked(">", content)]
        case "tool":
            return [_marked(f"{as_text(message, 'tool_name')}:", f"\n{content}")]
    thinking = as_text(message, "thinking")
    calls = message.get("tool_calls")
    named = [
        as_object(as_object(call).get("function"))
        for call in (calls if isinstance(calls, list) else [])
    ]
    return [
        *([_marked("Thought:", f"\n{thinking}")] if thinking else []),
        *([content] if content else []),
        *(_call(each) for each in named),
    ]


def _call(function: Json) -> str:
    """A call; texts of several lines keep them."""
    given = as_object(function.get("arguments"))
    lines = [f"* {as_text(function, 'name')}"]
    for key, value in given.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"  {key}: " + text.replace("\n", "\n    "))
    return "\n".join(lines)


def _marked(mark: str, text: str) -> str:
    return f"{mark} {text}" if not text.startswith("\n") else mark + text
