"""OLMo 3: a call a line, as in Python. Facts: prompting spec, 3.19."""

from __future__ import annotations

from collections.abc import Iterator

from puna.prompt.parsers.family import Body, CallForm, Family, Found, Kind, Mode, Turn
from puna.prompt.parsers.loose import Form, read_python_calls
from puna.prompt.parsers.shapes import at_content, begins, tagged_call, thinks_first
from puna.prompt.parsers.values import Notation
from puna.prompt.parsers.writing import notated

__all__ = ["OLMO3", "OLMO3_THINK"]

_FORM = Form()


def read_calls(body: Body) -> Iterator[Found]:
    """Reads the lines `f(key=value)`."""
    yield from read_python_calls(body.text, _FORM)


def _thinks(turn: Turn) -> bool:
    return turn.last != "prefill"


_NOTATION = Notation(
    lambda lark: lark.without(r"""/"([^"\\\x00-\x1f]|\\[\\"'ntr])*"/""", ("</function_calls>",)),
    '"',
    {True: "true", False: "false", None: "null"},
    '"{}": ',
)

OLMO3 = Family(
    tagged_call("<function_calls>", "</function_calls>", read_calls, trims=False),
    at_content,
    calls=CallForm(
        notated("{}(", "{}=", ")", _NOTATION), "<function_calls>\n", r"/\n/", "\n</function_calls>"
    ),
)
OLMO3_THINK = Family(
    thinks_first({"content": Mode(Kind.CONTENT)}, skips_opening=False),
    begins(_thinks),
    has_tools=False,
    has_thinking=True,
    opening="<think>",
)
