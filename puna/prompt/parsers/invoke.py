"""MiniMax and DeepSeek V3.2: calls as `<invoke name=…>` with parameters by name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from puna.prompt.parsers.family import BadCall, Body, CallForm, Family, Fault, Found, Kind, Mode
from puna.prompt.parsers.reading import json_calls, parameters
from puna.prompt.parsers.shapes import CALL_GAP, begins, thinks_first
from puna.prompt.parsers.tools import typed
from puna.prompt.parsers.watching import watch_json
from puna.prompt.parsers.writing import Tagged, json_form

__all__ = ["DEEPSEEK32", "MINIMAX", "MINIMAX_M1"]

_MARK = "｜DSML｜"
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
    mark = _MARK if _MARK in body.text else ""
    pairs = parameters(_PARAMETER, f"<{mark}parameter name=", body.text[found.end() :])
    yield name, {key: _value(raw, body.tools.types(name, key)) for key, raw in pairs}


def _value(raw: str, types: tuple[str, ...]) -> Any:
    if types:
        return typed(raw, types)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw


def _form(opening: str, closing: str, mark: str) -> CallForm:
    ending = f"</{mark}parameter>"
    never = (ending, f"<{mark}parameter name=", f"</{mark}invoke>")
    tail = f"</{mark}invoke>\n"
    keys = [f'<{mark}parameter name="{{}}"{kind}>' for kind in _kinds(mark)]
    call = Tagged(f'<{mark}invoke name="{{}}">\n', keys[0], f"{ending}\n", tail, never, keys[-1])
    return CallForm(call, f"{opening}\n", "", closing)


def _kinds(mark: str) -> tuple[str, ...]:
    """How a parameter says that it is a text, and that it is JSON."""
    return (' string="true"', ' string="false"') if mark else ("",)


def _family(opening: str, mark: str) -> Family:
    """Calls between the tags of a block, `mark` before all names inside."""
    invoke = f"{mark}invoke"
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
        calls=_form(opening, closing, mark),
    )


MINIMAX = _family("<minimax:tool_call>", "")
DEEPSEEK32 = _family(f"<{_MARK}function_calls>", _MARK)

MINIMAX_M1 = Family(
    thinks_first(
        {
            "content": Mode(Kind.CONTENT, {"<tool_calls>": "calls"}),
            "calls": Mode(
                Kind.GAP, {"{": "call", "</tool_calls>": "content"}, blank=CALL_GAP + "[]"
            ),
            "call": Mode(Kind.CALL, then="calls", read=json_calls(), watch=watch_json()),
        }
    ),
    _starts,
    has_thinking=True,
    bad=Fault.TEXT,
    cut=Fault.TEXT,
    opening="<think>",
    calls=json_form("", "", block=("<tool_calls>\n", "\n</tool_calls>")),
)
