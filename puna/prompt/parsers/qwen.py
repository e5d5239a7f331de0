"""Qwen 3 in its forms, Hermes, and Nemotron 3, which writes calls as Qwen's coder does.

Facts: prompting spec, 3.5 to 3.8 and 3.18.
"""

from __future__ import annotations

from puna.prompt.parsers.family import Family, Fault, Turn
from puna.prompt.parsers.reading import json_calls, read_functions
from puna.prompt.parsers.shapes import at_content, begins, tagged_call, thinks_first

__all__ = ["QWEN3", "QWEN3_CODER", "QWEN3_THINKING", "QWEN3_VL", "QWEN3_VL_THINKING", "QWEN35"]

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_JSON = tagged_call(OPEN, CLOSE, json_calls())
_XML = tagged_call(OPEN, CLOSE, read_functions)


def _thinks(turn: Turn) -> bool:
    return turn.think


def _thinks_anew(turn: Turn) -> bool:
    return turn.think and turn.last != "prefill"


def _always_thinks_anew(turn: Turn) -> bool:
    return turn.last != "prefill"


QWEN3_CODER = Family(_XML, at_content, bad=Fault.ERROR)

QWEN3 = Family(thinks_first(_JSON, cuts=(OPEN,)), at_content, bad=Fault.ERROR, opening="<think>")

QWEN3_THINKING = Family(
    QWEN3.modes, begins(_thinks), has_thinking=True, bad=Fault.ERROR, opening="<think>"
)

QWEN3_VL = Family(
    thinks_first(_JSON, skips_opening=False, cuts=(OPEN,)), at_content, bad=Fault.ERROR
)

QWEN3_VL_THINKING = Family(
    QWEN3_VL.modes, begins(_always_thinks_anew), has_thinking=True, bad=Fault.ERROR
)

QWEN35 = Family(
    thinks_first(_XML, cuts=(OPEN,)),
    begins(_thinks_anew),
    has_thinking=True,
    bad=Fault.ERROR,
    opening="<think>",
)
