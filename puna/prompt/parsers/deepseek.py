"""DeepSeek R1, V3 and V3.1, and Cogito, which writes as R1 does.

Facts: prompting spec, 3.9 and 3.10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from puna.prompt.parsers.family import BadCall, Body, CallForm, Family, Found, Kind, Mode, Turn
from puna.prompt.parsers.reading import read_json, read_object
from puna.prompt.parsers.shapes import begins, thinks_first
from puna.prompt.parsers.watching import watch_named
from puna.prompt.parsers.writing import named_json

__all__ = ["COGITO", "DEEPSEEK3"]

_SEPARATOR = "<｜tool▁sep｜>"
_FENCED = re.compile(r"(\S[^\n]*)\n```(?:json)?\n(.*?)\n?```\s*", re.DOTALL)


def read_call(body: Body) -> Iterator[Found]:
    """Reads `NAME separator JSON`, or R1's `function separator NAME` with the JSON in a fence."""
    before, separator, after = body.text.partition(_SEPARATOR)
    fenced = _FENCED.fullmatch(after.strip())
    name, arguments = (fenced[1], fenced[2]) if fenced else (before, after)
    if not separator or not name.strip():
        raise BadCall("empty function name")
    yield name.strip(), read_object(read_json(arguments))


_CALLS = {
    "content": Mode(Kind.CONTENT, {"<｜tool▁calls▁begin｜>": "calls"}),
    "calls": Mode(Kind.GAP, {"<｜tool▁call▁begin｜>": "call", "<｜tool▁calls▁end｜>": "content"}),
    "call": Mode(
        Kind.CALL,
        {"<｜tool▁call▁end｜>": "calls", "<｜tool▁calls▁end｜>": "content"},
        read=read_call,
        watch=watch_named(lambda before, tools: before.strip(), _SEPARATOR),
        has_strings=True,
    ),
}
_BEGIN, _END = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"
_FENCED_FORM = (f"{_BEGIN}function{_SEPARATOR}{{}}\n```json\n", f"\n```{_END}")
_BARE_FORM = (f"{_BEGIN}{{}}{_SEPARATOR}", _END)
_BLOCK = ("<｜tool▁calls▁begin｜>", r"/\n?/", "<｜tool▁calls▁end｜>")
_COGITO_CONTENT = Mode(
    Kind.CONTENT,
    {"<｜tool▁calls▁begin｜>": "calls", "<｜tool▁outputs▁begin｜>": "outputs"},
)
_DEEPSEEK_CONTENT = Mode(
    Kind.CONTENT,
    {"<｜tool▁calls▁begin｜>": "calls", "<｜tool▁output▁begin｜>": "output"},
)


def _cogito_thinks(turn: Turn) -> bool:
    return turn.think and not turn.has_tools and turn.last != "prefill"


def _deepseek_thinks(turn: Turn) -> bool:
    return turn.think and turn.last != "prefill"


COGITO = Family(
    thinks_first(
        {
            **_CALLS,
            "content": _COGITO_CONTENT,
            "outputs": Mode(Kind.HEAD, {"<｜tool▁outputs▁end｜>": "content"}),
        }
    ),
    begins(_cogito_thinks),
    has_thinking=True,
    shown=(_SEPARATOR,),
    opening="<think>",
    calls=CallForm(named_json(_FENCED_FORM), *_BLOCK),
)

DEEPSEEK3 = Family(
    thinks_first(
        {
            **_CALLS,
            "content": _DEEPSEEK_CONTENT,
            "output": Mode(Kind.CONTENT, {"<｜tool▁output▁end｜>": "content"}, trims=False),
        }
    ),
    begins(_deepseek_thinks),
    has_thinking=True,
    shown=(_SEPARATOR,),
    opening="<think>",
    calls=CallForm(named_json(_BARE_FORM, _FENCED_FORM), *_BLOCK),
)
