"""Laguna: calls as a name with pairs of tags or with JSON. Facts: prompting spec, 3.15."""

from __future__ import annotations

import re
from collections.abc import Iterator

from puna.prompt.parsers.family import BadCall, Body, Family, Fault, Found, Kind, Mode, Turn
from puna.prompt.parsers.glm import ARGUMENT_TAGS, PAIRS_FORM, read_pairs
from puna.prompt.parsers.reading import json_calls, read_json, read_object

__all__ = ["LAGUNA", "POOLSIDE"]

_NAMED = re.compile(r"\s*([^\s{]+)\s*(\{.*)", re.DOTALL)
_ALIASES = {
    "read_file": "read",
    "write_file": "write",
    "edit_file": "edit",
    "web_fetch": "webfetch",
}
_read_whole = json_calls()


def read_call(body: Body) -> Iterator[Found]:
    """Reads a call in any of the forms; some names stand for others."""
    for name, arguments in _read(body):
        alias = _ALIASES.get(name, name)
        declared = body.tools.names
        yield (alias if name not in declared and alias in declared else name), arguments


def _read(body: Body) -> Iterator[Found]:
    if ARGUMENT_TAGS[0] in body.text:
        yield read_pairs(body)
        return
    named = _NAMED.fullmatch(body.text)
    try:
        if named:
            yield named[1], read_object(read_json(named[2]))
        elif body.text.lstrip().startswith("{"):
            yield from _read_whole(body)
        elif body.text.strip():
            yield body.text.strip(), {}
        else:
            raise BadCall("empty Laguna tool call name")
    except BadCall as fault:
        if str(fault).startswith("empty"):
            raise BadCall("empty Laguna tool call name") from fault
        raise BadCall(f"failed to parse Laguna JSON tool call: {fault}") from fault


def read_declared(body: Body) -> Iterator[Found]:
    """Likewise, for a function of the request: elsewhere only such a one is a call."""
    for name, arguments in read_call(body):
        if name not in body.tools.names:
            raise BadCall(f"tool {name!r} is not declared")
        yield name, arguments


def _laguna(turn: Turn) -> str:
    return "opened" if turn.think and turn.last not in {"assistant", "prefill"} else "begin"


def _poolside(turn: Turn) -> str:
    return "opened" if turn.think else "begin"


_TAGS = {
    "<tool_call>": "call",
    "<think>": "thinking",
    "</think>": "answer",
    "<user>": "turn",  # calls that are written as somebody's turn
}
_MODES = {
    "opened": Mode(Kind.THINKING, {"<think>": "thinking"}, otherwise="thinking"),
    "begin": Mode(Kind.CONTENT, {**_TAGS, "{": "bare"}, otherwise="content"),
    "answer": Mode(Kind.CONTENT, {**_TAGS, "{": "bare"}, otherwise="content"),
    "thinking": Mode(Kind.THINKING, {"</think>": "answer", "<tool_call>": "call"}),
    "content": Mode(Kind.CONTENT, _TAGS),
    "call": Mode(Kind.CALL, {"</tool_call>": "content"}, read=read_call),
    "turn": Mode(Kind.CALL, {"</user>": "content"}, read=read_declared, bad=Fault.TEXT),
    "bare": Mode(Kind.CALL, then="content", unread="content", read=read_declared, bad=Fault.TEXT),
}

LAGUNA = Family(
    _MODES,
    _laguna,
    has_thinking=True,
    bad=Fault.ERROR,
    hides_thinking=True,
    shown=ARGUMENT_TAGS,
    calls=PAIRS_FORM,
)
POOLSIDE = Family(
    _MODES,
    _poolside,
    has_thinking=True,
    bad=Fault.ERROR,
    hides_thinking=True,
    shown=ARGUMENT_TAGS,
    calls=PAIRS_FORM,
)
