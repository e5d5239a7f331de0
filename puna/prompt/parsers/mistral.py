"""Mistral's and Ministral's calls, as names with arguments or as a JSON array.

Facts: prompting spec, 3.20.
"""

from __future__ import annotations

from collections.abc import Iterator

from puna.prompt.parsers.declared import Function
from puna.prompt.parsers.family import (
    BadCall,
    Body,
    CallForm,
    Family,
    Fault,
    Found,
    Kind,
    Mode,
    Turn,
)
from puna.prompt.parsers.lark import Lark
from puna.prompt.parsers.reading import json_calls, read_json, read_object
from puna.prompt.parsers.shapes import at_content
from puna.prompt.parsers.watching import watch_json, watch_named
from puna.prompt.parsers.writing import either_form, json_object, named_json

__all__ = ["MINISTRAL", "MISTRAL"]

_ID = "[CALL_ID]"
_CONTENT = {"[TOOL_CALLS]": "name", "[THINK]": "thinking"}


def read_named(body: Body) -> Iterator[Found]:
    """Reads the arguments of the function before them, which may have an id."""
    name = body.head.partition(_ID)[0].strip()
    if not name:
        raise BadCall("empty function name")
    yield name, read_object(read_json(body.text))


def read_declared(body: Body) -> Iterator[Found]:
    """Likewise, for a function of the request."""
    for name, arguments in read_named(body):
        if name not in body.tools.names:
            raise BadCall(f"tool '{name}' not found")
        yield name, arguments


def _thinks(turn: Turn) -> str:
    return "thinking" if turn.opens_thinking and turn.think else "content"


_element = json_object()
_WATCH = watch_named(lambda head, tools: head.partition(_ID)[0].strip())


def _array(lark: Lark, function: Function) -> str:
    return f'"[TOOL_CALLS][" {_element(lark, function)} "]"'


_NAMED = named_json(("[TOOL_CALLS]{}[ARGS]", ""))
_NAMED_FORM = CallForm(_NAMED)

MINISTRAL = Family(
    {
        "content": Mode(Kind.CONTENT, _CONTENT),
        "thinking": Mode(Kind.THINKING, {"[/THINK]": "content"}, trims=False),
        "name": Mode(Kind.HEAD, {"[ARGS]": "arguments"}),
        "arguments": Mode(Kind.CALL, then="content", read=read_declared, watch=_WATCH),
    },
    at_content,
    bad=Fault.ERROR,
    calls=_NAMED_FORM,
)

MISTRAL = Family(
    {
        **MINISTRAL.modes,
        "content": Mode(Kind.CONTENT, {**_CONTENT, "[TOOL_CALLS]": "form"}),
        "form": Mode(Kind.CONTENT, {"[": "array"}, otherwise="name"),
        "name": Mode(Kind.HEAD, {"[ARGS]": "arguments", "{": "arguments"}),
        "arguments": Mode(Kind.CALL, then="content", read=read_named, watch=_WATCH),
        "array": Mode(Kind.GAP, {"{": "element", "]": "content"}, blank=" \t\r\n,"),
        "element": Mode(Kind.CALL, then="array", read=json_calls(), watch=watch_json()),
    },
    _thinks,
    has_thinking=True,
    bad=Fault.TEXT,
    cut=Fault.TEXT,
    shown=(_ID,),
    calls=CallForm(either_form(_NAMED, _array)),
    opening="[THINK]",
)
