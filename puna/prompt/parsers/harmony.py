"""gpt-oss: messages with headers and channels. Facts: prompting spec, 3.21."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from puna.prompt.parsers.family import (
    BadCall,
    Body,
    CallForm,
    Family,
    Fault,
    Found,
    Kind,
    Lead,
    Mode,
    Turn,
)
from puna.prompt.parsers.reading import read_object
from puna.prompt.parsers.tools import Tools
from puna.prompt.parsers.watching import watch_named
from puna.prompt.parsers.writing import named_json

__all__ = ["HARMONY", "tool_names"]

_CHANNEL = re.compile(r"<\|channel\|>(\S*?)(?=\s|<\||$)")
_RECIPIENT = re.compile(r"\bto=([^\s<]+)")
_AS_THEY_ARE = frozenset({"browser.open", "browser.search", "browser.find", "python"})
_UNUSABLE = re.compile(r"[^\w$]")


def tool_names(names: Iterable[str]) -> dict[str, str]:
    """What each tool is called in prompts: the family's function names are identifiers."""
    taken: dict[str, int] = {}
    mapped: dict[str, str] = {}
    for name in names:
        usable = name if name in _AS_THEY_ARE else _identifier(name)
        taken[usable] = count = taken.get(usable, 0) + 1
        mapped[usable if count == 1 else f"{usable}_{count}"] = name
    return {name: called for called, name in mapped.items()}


def _identifier(name: str) -> str:
    usable = _UNUSABLE.sub("", re.sub(r"[ \-.]", "_", name)) or "unnamed"
    return f"_{usable}" if usable[0].isdigit() else usable


def _choose(header: str) -> str:
    """The mode of a message's body."""
    if _RECIPIENT.search(header):
        return "call"
    found = _CHANNEL.search(header)
    return "thinking" if found and found[1] == "analysis" else "content"


def read_call(body: Body) -> Iterator[Found]:
    """Reads the arguments of the recipient in the header."""
    name = _called(body.head, body.tools)
    if not name:
        raise BadCall("empty function name")
    try:
        arguments = read_object(json.loads(body.text))
    except (ValueError, RecursionError) as fault:
        raise BadCall(f"error parsing tool call: raw='{body.text}', err={fault}") from fault
    yield name, arguments


def _called(header: str, tools: Tools) -> str:
    """The function that a header addresses, by the request's name for it."""
    found = _RECIPIENT.search(header)
    name = found[1].removeprefix("functions.") if found else ""
    called = {each: name for name, each in tool_names(tools.names).items()}
    return called.get(name, name)


def _start(turn: Turn) -> str:
    return {"prefill": "content", "thoughts": "thinking"}.get(turn.last, "header")


_FINAL = "<|channel|>final"
_CALL_HEADS = (
    "<|channel|>commentary to=functions.{} <|constrain|>json<|message|>",
    " to=functions.{}<|channel|>commentary json<|message|>",
    " to=functions.{}<|channel|>commentary <|constrain|>json<|message|>",
)


def _lead(turn: Turn) -> Lead | None:
    opening = "" if turn.last == "thoughts" else "<|channel|>analysis<|message|>"
    others = ("<|start|>", "<|call|>", "<|return|>")
    return Lead(opening, "<|end|>", "<|start|>assistant", is_optional=bool(opening), never=others)


_ENDS = {"<|end|>": "between", "<|call|>": "between", "<|return|>": "between"}
_BODY = {**_ENDS, "<|start|>": "header"}

HARMONY = Family(
    {
        "header": Mode(Kind.HEAD, {"<|message|>": "content"}, chooses=_choose),
        "content": Mode(Kind.CONTENT, _BODY, trims=False),
        "thinking": Mode(Kind.THINKING, _BODY, trims=False),
        "call": Mode(
            Kind.CALL, _BODY, read=read_call, watch=watch_named(_called), has_strings=True
        ),
        "between": Mode(Kind.GAP, {"<|start|>": "header"}),
    },
    _start,
    has_thinking=True,
    bad=Fault.ERROR,
    cut=Fault.ERROR,
    shown=("<|channel|>", "<|constrain|>"),
    calls=CallForm(named_json(*((head, "") for head in _CALL_HEADS)), is_single=True),
    lead=_lead,
    names=tool_names,
    answers=((f"{_FINAL}<|message|>", ""), (f"{_FINAL} <|constrain|>json<|message|>", "")),
)
