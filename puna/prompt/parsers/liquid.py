"""LFM 2: calls as in Python. Facts: prompting spec, 3.14."""

from __future__ import annotations

from collections.abc import Iterator

from puna.prompt.parsers.family import Body, CallForm, Family, Found, Turn
from puna.prompt.parsers.loose import Form, read_python_calls
from puna.prompt.parsers.reading import json_calls
from puna.prompt.parsers.shapes import at_content, begins, tagged_call, thinks_first
from puna.prompt.parsers.values import Notation
from puna.prompt.parsers.writing import notated

__all__ = ["LFM2", "LFM2_THINKING"]

_FORM = Form(unescapes=False)
_read_json = json_calls()


def read_calls(body: Body) -> Iterator[Found]:
    """Reads `[f(key=value), …]`, or the same as JSON."""
    text = body.text.strip()
    if text.removeprefix("[").lstrip().startswith("{"):
        yield from _read_json(body)
        return
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    yield from read_python_calls(text, _FORM)


def _start(turn: Turn) -> str:
    if turn.opens_thinking is not None:
        return _by_prompt(turn)
    return "begin" if turn.think else "content"


_by_prompt = begins(lambda turn: turn.think)
_MODES = thinks_first(tagged_call("<|tool_call_start|>", "<|tool_call_end|>", read_calls))

# backslashes stay as they are written, so texts are better without
_NOTATION = Notation(
    lambda lark: lark.without(r'/"[^"\\\x00-\x1f]*"/', ("<|tool_call_end|>",)),
    '"',
    {True: "True", False: "False", None: "None"},
    '"{}": ',
)
_CALL_FORM = CallForm(
    notated("{}(", "{}=", ")", _NOTATION),
    "<|tool_call_start|>[",
    '"," " "?',
    "]<|tool_call_end|>",
)

LFM2 = Family(_MODES, at_content, calls=_CALL_FORM)
LFM2_THINKING = Family(_MODES, _start, has_thinking=True, opening="<think>", calls=_CALL_FORM)
