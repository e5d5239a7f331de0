"""Reads a text with a family's parser, cut anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from puna.api.events import Content, Thinking, ToolCalls
from puna.prompt.parsers import Family, Scanner, Turn

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "rain",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer"},
                    "exact": {"type": "boolean"},
                    "area": {"type": "object"},
                },
                "required": ["city"],
            },
        },
    },
    {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}},
]

Event = tuple[str, Any]
ASKED = Turn(think=True, has_tools=True, last="user")


@dataclass(frozen=True)
class Sample:
    """An answer's text and the events it stands for: `("content", …)`, `("thinking", …)`,
    `(name, arguments)` of a call.
    """

    text: str
    events: list[Event]
    turn: Turn = ASKED
    lenient: bool = False


def read(
    family: Family,
    pieces: Iterable[str],
    turn: Turn,
    *,
    lenient: bool = False,
    tools: Iterable[Mapping[str, Any]] = TOOLS,
) -> list[Event]:
    """The events, texts that follow each other joined."""
    scanner = Scanner(family, turn, tools, lenient=lenient)
    found = [each for piece in pieces for each in scanner.push(piece)] + scanner.flush()
    events: list[Event] = []
    indexes: list[int] = []
    for each in found:
        if isinstance(each, ToolCalls):
            indexes += [call.function.index for call in each.calls]
            events += [(call.function.name, call.function.arguments) for call in each.calls]
            continue
        kind = "content" if isinstance(each, Content) else "thinking"
        assert isinstance(each, Content | Thinking)
        if events and events[-1][0] == kind and isinstance(events[-1][1], str):
            events[-1] = (kind, events[-1][1] + each.text)
        else:
            events.append((kind, each.text))
    assert indexes == list(range(len(indexes)))
    return events
