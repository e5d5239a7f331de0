"""Phi 4 mini, Granite 3 and Nemotron Nano 2: calls in a JSON array after a tag."""

from __future__ import annotations

from puna.prompt.parsers.family import Family, Fault, Kind, Mode
from puna.prompt.parsers.reading import json_calls
from puna.prompt.parsers.shapes import array_call, begins, thinks_first
from puna.prompt.parsers.writing import json_array

__all__ = ["GRANITE3", "NEMOTRON_NANO2", "PHI4"]

_PHI_END = "<|/tool_call|>"
_CALLS = array_call(("<|tool_call|>", "functools"), "", json_calls())
_starts = begins(lambda turn: turn.think)

PHI4 = Family(
    {
        **_CALLS,
        "array": Mode(Kind.GAP, {"{": "call", "]": "after"}, blank=_CALLS["array"].blank),
        "after": Mode(Kind.CONTENT, {_PHI_END: "content"}, otherwise="content"),
    },
    lambda turn: "content",
    bad=Fault.TEXT,
    cut=Fault.TEXT,
    calls=json_array("<|tool_call|>[", f"]{_PHI_END}"),
)

GRANITE3 = Family(
    thinks_first(array_call(("<|tool_call|>",), "", json_calls())),
    _starts,
    has_thinking=True,
    bad=Fault.TEXT,
    cut=Fault.TEXT,
    opening="<think>",
    calls=json_array("<|tool_call|>[", "]"),
)

NEMOTRON_NANO2 = Family(
    thinks_first(array_call(("<TOOLCALL>",), "</TOOLCALL>", json_calls())),
    _starts,
    has_thinking=True,
    bad=Fault.TEXT,
    cut=Fault.TEXT,
    opening="<think>",
    calls=json_array("<TOOLCALL>[", "]</TOOLCALL>"),
)
