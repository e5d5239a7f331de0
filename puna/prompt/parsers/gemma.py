"""Gemma 4 and FunctionGemma: calls with keys without quotes and quotes of their own.

Facts: prompting spec, 3.11 and 3.12.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from puna.prompt.parsers.family import BadCall, Body, CallForm, Family, Found, Kind, Mode, Turn
from puna.prompt.parsers.lark import literal
from puna.prompt.parsers.loose import Form, read_value
from puna.prompt.parsers.shapes import at_content, tagged_call
from puna.prompt.parsers.tools import Tools
from puna.prompt.parsers.values import Notation
from puna.prompt.parsers.writing import notated

__all__ = ["FUNCTION_GEMMA", "GEMMA4", "GEMMA4_NO_THINKING"]

_QUOTE = '<|"|>'
_WORDS = {True: "true", False: "false", None: "null"}
_NOTATION = Notation(
    lambda lark: f"{literal(_QUOTE)} {lark.until(_QUOTE, ('<tool_call|>',))}", _QUOTE, _WORDS, "{}:"
)
_FUNCTION_NOTATION = Notation(
    lambda lark: f'"<escape>" {lark.until("<escape>", ("<end_function_call>",))}',
    "<escape>",
    _WORDS,
    "{}:",
)
_CALL = re.compile(r"\s*call:\s*([^{\s]+)\s*(\{.*)", re.DOTALL)
_FUNCTION_FORM = Form(quotes=("<escape>",))
_FORM = Form(quotes=(_QUOTE, '"'), has_words=False)
_SINGLE_QUOTED = Form(quotes=(_QUOTE, '"', "'"), has_words=False)


def read_function_call(body: Body) -> Iterator[Found]:
    """Reads `call:NAME{key:value,…}` with texts in `<escape>`."""
    name, arguments = _parts(body)
    yield name, _object(arguments, _FUNCTION_FORM)


def read_call(body: Body) -> Iterator[Found]:
    """Likewise with texts in the quote token; what is nearly right is repaired."""
    name, raw = _parts(body)
    for arguments, form in _readings(raw, name, body.tools):
        try:
            found = _object(arguments, form)
        except BadCall:
            continue
        yield name, found
        return
    raise BadCall(f"the arguments of {name} cannot be read")


def _parts(body: Body) -> tuple[str, str]:
    found = _CALL.match(body.text)
    if found is None:
        raise BadCall("no call:NAME{…}")
    return found[1], found[2].strip()


def _object(text: str, form: Form) -> dict[str, Any]:
    value = read_value(text, form)
    if not isinstance(value, dict):
        raise BadCall("arguments are no object")
    return value


def _readings(raw: str, name: str, tools: Tools) -> Iterator[tuple[str, Form]]:
    """The arguments as they are, then with repairs."""
    yield raw, _FORM
    yield raw, _SINGLE_QUOTED
    fixed = raw
    if raw.count(_QUOTE) % 2:
        end = len(raw) - (raw[-1] in "}]")
        fixed = raw[:end] + _QUOTE + raw[end:]
        yield fixed, _SINGLE_QUOTED
        yield fixed + "}", _SINGLE_QUOTED
    texts = _quote_texts(fixed, name, tools)
    if texts != fixed:
        yield texts, _SINGLE_QUOTED
        yield texts + "}", _SINGLE_QUOTED


def _quote_texts(raw: str, name: str, tools: Tools) -> str:
    """With quotes around the values of arguments that are texts."""
    keys = "|".join(map(re.escape, tools.properties(name)))
    if not keys:
        return raw
    out, at = [], 0
    found = [*re.finditer(rf"[{{,]\s*({keys})\s*:", raw)]
    for key, following in zip(found, [*found[1:], None], strict=True):
        end = following.start() if following else len(raw) - raw.endswith("}")
        value = raw[key.end() : end].strip()
        out.append(raw[at : key.end()])
        is_text = tools.types(name, key[1]) == ("string",) and not value.startswith((_QUOTE, "'"))
        out.append(f"{_QUOTE}{value}{_QUOTE}" if is_text else value)
        at = end
    return "".join((*out, raw[at:]))


def _start(turn: Turn) -> str:
    return "thinking" if turn.think and turn.last == "tool" else "content"


_TAGS = {"<|channel>": "channel", "<|tool_call>": "call"}
_MARKERS = {"<tool_call|>": "after", "<|tool_response>": "after"}

GEMMA4 = Family(
    {
        "content": Mode(Kind.CONTENT, _TAGS),
        "channel": Mode(Kind.THINKING, {"thought\n": "thinking"}, otherwise="thinking"),
        "thinking": Mode(Kind.THINKING, {"<channel|>": "content"}),
        "call": Mode(Kind.CALL, {"<tool_call|>": "after"}, read=read_call),
        "after": Mode(Kind.CONTENT, {**_TAGS, **_MARKERS}, otherwise="content"),
    },
    _start,
    has_thinking=True,
    hides_thinking=True,
    shown=(_QUOTE,),
    calls=CallForm(notated("<|tool_call>call:{}{", "{}:", "}<tool_call|>", _NOTATION)),
)

GEMMA4_NO_THINKING = Family(
    GEMMA4.modes, at_content, hides_thinking=True, shown=GEMMA4.shown, calls=GEMMA4.calls
)

FUNCTION_GEMMA = Family(
    tagged_call("<start_function_call>", "<end_function_call>", read_function_call, trims=False),
    at_content,
    shown=("<escape>",),
    calls=CallForm(
        notated("<start_function_call>call:{}{", "{}:", "}<end_function_call>", _FUNCTION_NOTATION)
    ),
)
