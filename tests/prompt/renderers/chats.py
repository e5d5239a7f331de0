"""Messages and tools that renderers are tried with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from puna.api.requests import FunctionCall, Message, ToolCall

__all__ = ["ANSWER", "ASK", "CALLS", "CHATS", "MORE", "SYSTEM", "TIME", "TOOL", "WET", "calling"]


def calling(text: str = "", /, **arguments: Any) -> Message:
    """An answer that calls `rain`."""
    call = ToolCall(id="c1", function=FunctionCall(name="rain", arguments=arguments))
    return Message(role="assistant", content=text, tool_calls=[call])


SYSTEM = Message(role="system", content="Be brief.")
ASK = Message(role="user", content="Rain?")
CALLS = Message(
    role="assistant",
    content="I look.",
    thinking="Hm.",
    tool_calls=[
        *calling(city="Oslo <1>", days=2).tool_calls,
        ToolCall(id="c2", function=FunctionCall(name="clock")),
    ],
)
WET = Message(role="tool", content="wet", tool_name="rain", tool_call_id="c1")
TIME = Message(role="tool", content="12", tool_name="clock", tool_call_id="c2")
ANSWER = Message(role="assistant", content="Wet.", thinking="So.")
MORE = Message(role="user", content="Thanks")

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "rain",
        "description": "Will it rain?",
        "parameters": {
            "type": "object",
            "required": ["city"],
            "properties": {
                "city": {"type": "string", "description": "Where"},
                "days": {"type": ["integer", "null"], "enum": [1, 2]},
            },
        },
    },
}

CHATS: Mapping[str, tuple[Sequence[Message], Sequence[dict[str, Any]], bool | None]] = {
    "calls and results, thinking": ([SYSTEM, ASK, CALLS, WET, TIME], [TOOL], True),
    "calls and results, answered": ([ASK, CALLS, WET, TIME, ANSWER, MORE], [], None),
    "turns, no thinking": ([ASK, ANSWER, MORE], [], False),
    "turns, thinking": ([ASK, ANSWER, MORE], [], True),
    "a question": ([ASK], [], None),
    "an answer that goes on": ([SYSTEM, ASK, ANSWER], [], None),
}
