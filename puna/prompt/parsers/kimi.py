"""Kimi K2: calls in a section of control tokens, each with an id that names the function."""

from __future__ import annotations

from collections.abc import Iterator

from puna.prompt.parsers.declared import Function
from puna.prompt.parsers.family import BadCall, Body, CallForm, Family, Fault, Found, Kind, Mode
from puna.prompt.parsers.lark import Lark, literal
from puna.prompt.parsers.reading import read_json, read_object
from puna.prompt.parsers.shapes import begins, thinks_first
from puna.prompt.parsers.watching import watch_named
from puna.prompt.parsers.writing import DIGITS, named_json

__all__ = ["KIMI_K2"]

_SEPARATOR = "<|tool_call_argument_begin|>"
_END = "<|tool_calls_section_end|>"


def read_call(body: Body) -> Iterator[Found]:
    """Reads `functions.NAME:INDEX`, the separator and JSON."""
    called, separator, arguments = body.text.partition(_SEPARATOR)
    name = _name(called)
    if not separator or not name:
        raise BadCall("empty function name")
    yield name, read_object(read_json(arguments))


def _name(called: str) -> str:
    name = called.strip().removeprefix("functions.")
    before, colon, index = name.rpartition(":")
    return before if colon and index.isdigit() else name


_WATCH = watch_named(lambda called, tools: _name(called), _SEPARATOR)


def _write(lark: Lark, function: Function) -> str:
    begin = literal(f"<|tool_call_begin|>functions.{function.name}:")
    return f"{begin} {DIGITS} {_ARGUMENTS(lark, function)}"


_ARGUMENTS = named_json((_SEPARATOR, "<|tool_call_end|>"))

KIMI_K2 = Family(
    thinks_first(
        {
            "content": Mode(Kind.CONTENT, {"<|tool_calls_section_begin|>": "calls"}),
            "calls": Mode(Kind.GAP, {"<|tool_call_begin|>": "call", _END: "content"}),
            "call": Mode(
                Kind.CALL,
                {"<|tool_call_end|>": "calls", _END: "content"},
                read=read_call,
                watch=_WATCH,
                has_strings=True,
            ),
        },
        cuts=("<|tool_calls_section_begin|>",),
    ),
    begins(lambda turn: turn.think),
    has_thinking=True,
    bad=Fault.TEXT,
    cut=Fault.TEXT,
    shown=(_SEPARATOR,),
    opening="<think>",
    calls=CallForm(_write, "<|tool_calls_section_begin|>", "", _END),
)
