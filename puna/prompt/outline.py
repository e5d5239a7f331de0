"""The form of a whole answer as a grammar: thoughts, then content or calls.

The runner holds an answer to it where something is asked for: the thought stays free, what follows
is held. `@answer` stands for what the request's format, grammar or regex says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from puna.prompt.parsers.declared import Function
from puna.prompt.parsers.family import CallForm, Family, Kind, Lead, Turn
from puna.prompt.parsers.lark import Lark, either, literal
from puna.prompt.parsers.tools import Tools

__all__ = ["AnswerForm", "lead_of", "make_outline"]

_ANSWER = "@answer"
_SPACE = r"/[ \t\r\n]{0,8}/"
_MOST_MODES = 8  # passed through on the way to thoughts


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How one answer is going to be written."""

    lead: Lead | None = None
    answers: tuple[tuple[str, str], ...] = (("", ""),)
    calls: CallForm | None = None

    @classmethod
    def of(cls, family: Family, turn: Turn) -> AnswerForm:
        """As models of a family write."""
        if turn.last == "prefill":
            return cls(calls=family.calls)
        return cls(lead_of(family, turn), family.answers, family.calls)


def lead_of(family: Family, turn: Turn) -> Lead | None:
    """The thoughts that an answer of this turn begins with, or may begin with."""
    if family.lead is not None:
        return family.lead(turn)
    mode = family.modes[family.start(turn)]
    is_inside = mode.kind is Kind.THINKING
    if not is_inside and not turn.think:
        return None
    opening = ""
    for _ in range(_MOST_MODES):
        if mode.kind is Kind.THINKING and not mode.otherwise:
            closing, *others = mode.tags
            return Lead(opening, closing, is_optional=not is_inside, never=tuple(others))
        if mode.kind is Kind.THINKING:  # it may begin with a tag, which is no more than text here
            mode = family.modes[mode.otherwise]
            continue
        tag = next((tag for tag, to in mode.tags.items() if _thinks(family, to)), "")
        following = mode.tags.get(tag, mode.otherwise)
        if not following:
            return None
        opening += tag
        mode = family.modes[following]
    return None


def _thinks(family: Family, mode: str) -> bool:
    return family.modes[mode].kind is Kind.THINKING


def make_outline(
    form: AnswerForm,
    tools: Iterable[Mapping[str, Any]] = (),
    *,
    is_held: bool = False,
    must_call: bool = False,
    calls_once: bool = False,
) -> str:
    """The grammar; empty where the answer needs none, or the held answer is all there is.

    `is_held`: content has to fit something; with tools it may be a call instead. `must_call`: there
    is a call of one of the tools and nothing else but thoughts.
    """
    lark = Lark()
    bodies: list[str] = []
    if is_held and not must_call:
        bodies += [
            f"{literal(before)} {_ANSWER} {literal(behind)}".strip()
            for before, behind in form.answers
        ]
    functions = Tools(tools).functions
    if form.calls and functions and (must_call or (is_held and not form.calls.is_json)):
        bodies.append(_calls(lark, form.calls, functions, calls_once=calls_once))
    if not bodies or (form.lead is None and bodies == [_ANSWER]):
        return ""
    body = lark.rule(either(bodies))
    return lark.text(f"{_lead(lark, form.lead)} {body}" if form.lead else body)


def _lead(lark: Lark, lead: Lead) -> str:
    thought = lark.until(lead.closing, lead.never)
    behind = literal(lead.after) or _SPACE
    if not lead.opening:
        return f"{thought} {behind}"
    before = "" if lead.after else _SPACE
    whole = f"{before} {literal(lead.opening)} {thought} {behind}".strip()
    if not lead.is_optional:
        return whole
    return f"({whole})*" if lead.after else f"({whole})?"


def _calls(lark: Lark, form: CallForm, functions: Iterable[Function], *, calls_once: bool) -> str:
    one = lark.rule(either(lark.rule(form.call(lark, each)) for each in functions))
    more = "" if calls_once or form.is_single else f"({form.between} {one})*"
    return " ".join(filter(None, (literal(form.opening), one, more, literal(form.closing))))
