"""Seed OSS: calls as Qwen's coder writes them, between tags of its own."""

from __future__ import annotations

from puna.prompt.parsers.family import Family, Fault
from puna.prompt.parsers.qwen import function_form
from puna.prompt.parsers.reading import read_functions
from puna.prompt.parsers.shapes import begins, tagged_call, thinks_first

__all__ = ["SEED_OSS"]

_OPEN, _CLOSE = "<seed:tool_call>", "</seed:tool_call>"

SEED_OSS = Family(
    thinks_first(
        tagged_call(_OPEN, _CLOSE, read_functions),
        ("<seed:think>", "</seed:think>"),
        cuts=(_OPEN,),
    ),
    begins(lambda turn: turn.think),
    has_thinking=True,
    bad=Fault.TEXT,
    cut=Fault.TEXT,
    opening="<seed:think>",
    calls=function_form(_OPEN, _CLOSE),
)
