"""Keeping a conversation within its context: when to shorten it, what stays, how a result is cut.

Pure. Facts: CLI spec, sections 5.2 and 5.5.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from puna.client.fields import Json
from puna.term.answer import CHARACTERS_A_TOKEN

__all__ = [
    "compacted",
    "cut_result",
    "estimate_tokens",
    "is_due",
    "summary_request",
]

_DUE = 0.8  # of the window
_SMALL_WINDOW = 16_000
_KEPT_TURNS = 3
_LONGEST_SUMMARY = 16_384
_HEAD = 0.75
_LIMITS = ((4_096, 3_200), (8_192, 6_000))  # window in tokens, characters of a result
_LIMIT = 60_000
SUMMARISE = (
    "Summarise the conversation up to here for yourself, because it will be removed: what was "
    "asked for, what was done and found out, which files and commands count, what is still to do. "
    "Write only the summary."
)


def estimate_tokens(messages: Sequence[Json]) -> int:
    """How many tokens messages take, at about four characters each."""
    text = sum(len(json.dumps(message, ensure_ascii=False)) for message in messages)
    return text // CHARACTERS_A_TOKEN


def is_due(tokens: int, window: int) -> bool:
    """Whether so many tokens are too close to the end of the window."""
    return tokens >= _DUE * window


def cut_result(text: str, window: int) -> str:
    """A result of a tool, cut in its middle to what a window of so many tokens can take."""
    limit = next((most for size, most in _LIMITS if window <= size), _LIMIT)
    if len(text) <= limit:
        return text
    head = int(limit * _HEAD)
    tail = limit - head
    lost = (len(text) - limit) // CHARACTERS_A_TOKEN
    return f"{text[:head]}\n[about {lost} tokens omitted]\n{text[-tail:]}"


def summary_request(messages: Sequence[Json], window: int) -> list[Json]:
    """What the model is asked, so that it says a summary; long results are cut for it."""
    shown: list[Json] = []
    room = int(window * _DUE) * CHARACTERS_A_TOKEN - len(SUMMARISE)
    for message in reversed(messages):
        content = message.get("content")
        short = (
            {**message, "content": cut_result(content, 4_096)}
            if isinstance(content, str)
            else message
        )
        room -= len(json.dumps(short, ensure_ascii=False))
        if room < 0:
            break
        shown.append(short)
    while shown and shown[-1].get("role") == "tool":
        shown.pop()  # its call was left out
    return [*reversed(shown), {"role": "user", "content": SUMMARISE}]


def compacted(messages: Sequence[Json], summary: str, window: int) -> list[Json]:
    """The messages with a summary in place of older turns.

    System messages and the last three turns stay; in a small window only what was asked last.
    """
    starts = [n for n, message in enumerate(messages) if message.get("role") == "user"]
    system = [m for m in messages if m.get("role") == "system"]
    told: list[Json] = [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "summary", "arguments": {}}}],
        },
        {"role": "tool", "tool_name": "summary", "content": summary[:_LONGEST_SUMMARY]},
    ]
    if window < _SMALL_WINDOW or len(starts) <= _KEPT_TURNS:
        asked = [messages[starts[-1]]] if starts else []
        return [*system, *asked, *told]
    first = starts[-_KEPT_TURNS]
    kept = [m for m in messages[first:] if m.get("role") != "system"]
    return [*system, *told, *kept]
