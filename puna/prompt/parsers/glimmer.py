"""Glimmer: messages to recipients, calls in a block of XML. Facts: prompting spec, 3.17."""

from __future__ import annotations

import re
from collections.abc import Iterator

from puna.prompt.parsers.family import (
    BadCall,
    Body,
    CallForm,
    Family,
    Fault,
    Found,
    Kind,
    Lead,
    Mode,
    Turn,
)
from puna.prompt.parsers.lark import literal
from puna.prompt.parsers.reading import parameters
from puna.prompt.parsers.tools import Tools, typed
from puna.prompt.parsers.writing import Tagged

__all__ = ["GLIMMER"]

_OPENING = "<atem:function_calls>"
_RECIPIENT = re.compile(r"\bto=(\S+)")
_BLOCK = re.compile(
    r'\s*<atem:function_calls>\s*<atem:invoke name="([^"]*)">(.*)</atem:invoke>\s*', re.DOTALL
)
_PARAMETER = re.compile(r'\s*<atem:parameter name="([^"]+)">(.*?)</atem:parameter>', re.DOTALL)


def _recipient(header: str) -> str:
    found = _RECIPIENT.search(header)
    return found[1] if found else "user"


def _choose(header: str) -> str:
    """The mode of a message's body."""
    return {"self": "thinking", "user": "answer"}.get(_recipient(header), "call")


def read_call(body: Body) -> Iterator[Found]:
    """Reads the block of a message to a tool."""
    yield _read(body.text, _recipient(body.head), body.tools)


def read_inline(body: Body) -> Iterator[Found]:
    """Reads a block that is an answer to the user."""
    yield _read(f"{_OPENING}{body.text}", "", body.tools)


def _read(text: str, name: str, tools: Tools) -> Found:
    """The call of a block to a tool, whose name is empty where the block alone tells."""
    found = _BLOCK.fullmatch(text)
    if found is None:
        raise BadCall(f"parse Glimmer call to {name}: no block of calls")
    invoked = found[1].replace("<|message|>", "").strip()
    if not invoked:
        raise BadCall("empty Glimmer function name")
    if name and invoked != name and _spaced(invoked) != name:
        raise BadCall(f'Glimmer recipient "{name}" does not match ATEM invoke "{invoked}"')
    if invoked not in tools.names:
        raise BadCall(f'undeclared Glimmer function "{invoked}"')
    pairs = parameters(_PARAMETER, "<atem:parameter ", found[2])
    return invoked, {key: typed(raw, tools.types(invoked, key)) for key, raw in pairs}


def _spaced(name: str) -> str:
    """`ns.fn` where the function's own name has its namespace."""
    return f"{name.partition('.')[0]}.{name}"


_NEXT = "<|start|>assistant"
_HEAD = ' to={}<|message|><atem:function_calls>\n<atem:invoke name="{}">\n'
_TAIL = "</atem:invoke>\n</atem:function_calls>"
_KEY, _CLOSING = '<atem:parameter name="{}">', "</atem:parameter>"
_CALL_FORM = CallForm(
    Tagged(
        _HEAD,
        _KEY,
        f"{_CLOSING}\n",
        _TAIL,
        (_CLOSING, "<atem:parameter ", "<|eot|>", "</atem:function_calls>"),
    ),
    between=literal(f"<|eom|>{_NEXT}"),
)


def _lead(turn: Turn) -> Lead | None:
    if not turn.think:
        return None
    never = ("<|eot|>", "<|start|>")
    return Lead(" to=self<|message|>", "<|eom|>", _NEXT, is_optional=True, never=never)


_ENDS = {"<|eom|>": "between", "<|eot|>": "between", "<|start|>": "header"}

GLIMMER = Family(
    {
        "header": Mode(Kind.HEAD, {"<|message|>": "content"}, chooses=_choose),
        "content": Mode(Kind.CONTENT, _ENDS, trims=False),
        "answer": Mode(
            Kind.CONTENT, {_OPENING: "inline", **_ENDS}, otherwise="content", trims=False
        ),
        "inline": Mode(
            Kind.CALL, {"</atem:function_calls>": "content"}, read=read_inline, bad=Fault.TEXT
        ),
        "thinking": Mode(Kind.THINKING, _ENDS, trims=False),
        "call": Mode(
            Kind.CALL, {"</atem:function_calls>": "between", "<|eot|>": "between"}, read=read_call
        ),
        "between": Mode(Kind.GAP, {"<|start|>": "header"}),
    },
    lambda turn: "header",
    has_thinking=True,
    bad=Fault.ERROR,
    cut=Fault.ERROR,
    hides_thinking=True,
    calls=_CALL_FORM,
    lead=_lead,
    answers=((" to=user<|message|>", ""),),
)
