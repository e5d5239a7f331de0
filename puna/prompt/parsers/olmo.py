"""OLMo 3: a call a line, as in Python. Facts: prompting spec, 3.19."""

from __future__ import annotations

from collections.abc import Iterator

from puna.prompt.parsers.family import Body, Family, Found, Kind, Mode, Turn
from puna.prompt.parsers.loose import Form, read_python_calls
from puna.prompt.parsers.shapes import at_content, begins, tagged_call, thinks_first

__all__ = ["OLMO3", "OLMO3_THINK"]

_FORM = Form()


def read_calls(body: Body) -> Iterator[Found]:
    """Reads the lines `f(key=value)`."""
    yield from read_python_calls(body.text, _FORM)


def _thinks(turn: Turn) -> bool:
    return turn.last != "prefill"


OLMO3 = Family(
    tagged_call("<function_calls>", "</function_calls>", read_calls, trims=False), at_content
)
OLMO3_THINK = Family(
    thinks_first({"content": Mode(Kind.CONTENT)}, skips_opening=False),
    begins(_thinks),
    has_tools=False,
    has_thinking=True,
    opening="<think>",
)
