"""Qwen 3 in its forms, Hermes, and Nemotron 3, which writes calls as Qwen's coder does.

Facts: prompting spec, 3.5 to 3.8 and 3.18.
"""

from __future__ import annotations

from puna.prompt.parsers.family import CallForm, Family, Fault, Turn
from puna.prompt.parsers.reading import json_calls, read_functions
from puna.prompt.parsers.shapes import (
    at_content,
    begins,
    tagged_call,
    tagged_json,
    thinks_first,
)
from puna.prompt.parsers.writing import Tagged, json_form

__all__ = [
    "HERMES",
    "QWEN3",
    "QWEN3_CODER",
    "QWEN3_THINKING",
    "QWEN3_VL",
    "QWEN3_VL_THINKING",
    "QWEN35",
    "function_form",
]

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_JSON = tagged_json(OPEN, CLOSE, json_calls())
_XML = tagged_call(OPEN, CLOSE, read_functions)

JSON_FORM = json_form(OPEN, CLOSE)


def function_form(opening: str, closing: str) -> CallForm:
    """Calls as Qwen's coder writes them, between these tags."""
    never = ("</parameter>", "<parameter=", closing)
    head, tail = f"{opening}\n<function={{}}>\n", f"</function>\n{closing}"
    call = Tagged(head, "<parameter={}>\n", "\n</parameter>\n", tail, never)
    return CallForm(call, between=r"/\n?/")


_XML_FORM = function_form(OPEN, CLOSE)


def _thinks(turn: Turn) -> bool:
    return turn.think


def _thinks_anew(turn: Turn) -> bool:
    return turn.think and turn.last != "prefill"


def _always_thinks_anew(turn: Turn) -> bool:
    return turn.last != "prefill"


HERMES = Family(_JSON, at_content, bad=Fault.TEXT, cut=Fault.TEXT, calls=JSON_FORM)

QWEN3_CODER = Family(_XML, at_content, bad=Fault.ERROR, calls=_XML_FORM)

QWEN3 = Family(
    thinks_first(_JSON, cuts=(OPEN,)),
    at_content,
    bad=Fault.ERROR,
    opening="<think>",
    calls=JSON_FORM,
)

QWEN3_THINKING = Family(
    QWEN3.modes,
    begins(_thinks),
    has_thinking=True,
    bad=Fault.ERROR,
    opening="<think>",
    calls=JSON_FORM,
)

QWEN3_VL = Family(
    thinks_first(_JSON, skips_opening=False, cuts=(OPEN,)),
    at_content,
    bad=Fault.ERROR,
    calls=JSON_FORM,
)

QWEN3_VL_THINKING = Family(
    QWEN3_VL.modes,
    begins(_always_thinks_anew),
    has_thinking=True,
    bad=Fault.ERROR,
    calls=JSON_FORM,
)

QWEN35 = Family(
    thinks_first(_XML, cuts=(OPEN,)),
    begins(_thinks_anew),
    has_thinking=True,
    bad=Fault.ERROR,
    opening="<think>",
    calls=_XML_FORM,
)
