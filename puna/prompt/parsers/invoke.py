"""MiniMax and DeepSeek V3.2: calls as `<invoke name=…>` with parameters by name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from puna.prompt.parsers.family import BadCall, Body, Family, Fault, Found, Kind, Mode
from puna.prompt.parsers.reading import json_calls, parameters
from puna.prompt.parsers.shapes import CALL_GAP, begins, thinks_first
from puna.prompt.parsers.tools import typed

__all__ = ["DEEPSEEK32", "MINIMAX", "MINIMAX_M1"]

_NAME = re.compile(r'\s*name="([^"]+)"\s*>')
_PARAMETER = re.compile(
    r'\s*<(?:｜DSML｜)?parameter name="([^"]+)"(?: string="\w+")?>(.*?)</(?:｜DSML｜)?parameter>',
    re.DOTALL,
)
_starts = begins(lambda turn: turn.think)


def read_invoke(body: Body) -> Iterator[Found]:
    """Reads what follows `<invoke`, values by their declared types or as JSON."""
    found = _NAME.match(body.text)
    if found is None:
        raise BadCall("an invoke without a name")
    name = found[1]
    pairs = parameters(_PARAMETER, "parameter name=", body.text[found.end() :])
    yield name, {key: _value(raw, body.tools.types(name, key)) for key, raw in pairs}


def _value(raw: str, types: tuple[str, ...]) -> Any:
    if types:
        return typed(raw, types)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw


def _family(opening: str, invoke: str) -> Family:
    """Calls between the tags of a block."""
    closing = opening.replace("<", "</", 1)
    return Family(
        thinks_first(
            {
                "content": Mode(Kind.CONTENT, {opening: "calls"}),
                "calls": Mode(Kind.GAP, {f"<{invoke} ": "call", closing: "content"}),
                "call": Mode(Kind.CALL, {f"</{invoke}>": "calls"}, read=read_invoke),
            },
            cuts=(opening,),
        ),
        _starts,
        has_thinking=True,
        bad=Fault.TEXT,
        cut=Fault.TEXT,
        opening="<think>",
    )


MINIMAX = _family("<minimax:tool_call>", "invoke")
DEEPSEEK32 = _family("<｜DSML｜function_calls>", "｜DSML｜invoke")

MINIMAX_M1 = Family(
    thinks_first(
        {
            "content": Mode(Kind.CONTENT, {"<tool_calls>": "calls"}),
            "calls": Mode(
                Kind.GAP, {"{": "call", "</tool_calls>": "content"}, blank=CALL_GAP + "[]"
            ),
            "call": Mode(Kind.CALL, then="calls", read=json_calls()),
        }
    ),
    _starts,
    has_thinking=True,
    bad=Fault.TEXT,
    cut=Fault.TEXT,
    opening="<think>",
)
