"""Grammars of calls that several families share: what `reading.py` reads, written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from puna.prompt.parsers.declared import Function
from puna.prompt.parsers.family import CallForm
from puna.prompt.parsers.lark import Lark, either, literal
from puna.prompt.parsers.values import Notation, arguments, is_text, tagged_value

__all__ = [
    "DIGITS",
    "Tagged",
    "either_form",
    "json_array",
    "json_form",
    "json_object",
    "named_json",
    "notated",
]

Writer = Callable[[Lark, Function], str]

DIGITS = "/[0-9]{1,2}/"
_NAMES = ("name", "arguments")
_BREAK = r"/\n?/"
_COMMA = r'"," /[ \n]{0,5}/'
_KEY = "/[A-Za-z_][A-Za-z0-9_.-]{0,63}/"


def _arguments(lark: Lark, function: Function) -> str:
    """Where arguments are declared there are no others, unless the schema says so."""
    schema = function.parameters or {"type": "object"}
    closed = {"additionalProperties": False} if schema.get("properties") else {}
    return lark.json({**closed, **schema})


def json_object(keys: tuple[str, str] = _NAMES, before: str = "") -> Writer:
    """A call as an object: `before`, an expression, then its name and its arguments."""

    def write(lark: Lark, function: Function) -> str:
        name, value = keys
        head = f'"{name}": {json.dumps(function.name)}, "{value}": '
        opening = f'"{{" {before} {literal(head)}' if before else literal("{" + head)
        return f'{opening} {_arguments(lark, function)} "}}"'

    return write


def json_form(
    opening: str, closing: str, keys: tuple[str, str] = _NAMES, *, block: tuple[str, str] = ("", "")
) -> CallForm:
    """Objects between tags, on lines of their own or not, all of them in a block."""
    call = json_object(keys)

    def write(lark: Lark, function: Function) -> str:
        line = lark.terminal(_BREAK)
        end = f"{line} {literal(closing)}" if closing else ""
        return f"{literal(opening)} {line} {call(lark, function)} {end}".strip()

    return CallForm(write, block[0], _BREAK, block[1])


def json_array(opening: str, closing: str, call: Writer | None = None) -> CallForm:
    """Objects in an array, whose brackets are in the texts around them."""
    return CallForm(call or json_object(), opening, _COMMA, closing)


def named_json(*forms: tuple[str, str]) -> Writer:
    """The arguments as JSON, between texts of which the first has the name where `{}` stands."""

    def write(lark: Lark, function: Function) -> str:
        value = _arguments(lark, function)
        return either(
            f"{literal(before.replace('{}', function.name))} {value} {literal(behind)}".strip()
            for before, behind in forms
        )

    return write


@dataclass(frozen=True, slots=True)
class Tagged:
    """Writes every argument between tags: texts as they are, all else as JSON.

    `{}` stands for a name. `never` are texts that values must not have in them.
    """

    head: str
    key: str
    closing: str
    tail: str
    never: tuple[str, ...]
    json_key: str = ""
    """Instead of `key`, where the value is JSON."""

    def __call__(self, lark: Lark, function: Function) -> str:
        """The whole call."""
        if function.is_open:
            before, after = self.key.split("{}")
            key = f"{literal(before)} {lark.terminal(_KEY)} {literal(after)}"
            inside = f"({key} {lark.until(self.closing, self.never)})*"
        else:
            inside = arguments(
                lark,
                function,
                lambda name, schema: literal(
                    self._key(is_text(function, schema)).replace("{}", name)
                ),
                lambda each: tagged_value(lark, function, each, self.closing, self.never),
                comma="",
            )
        head = literal(self.head.replace("{}", function.name))
        return f"{head} {inside} {literal(self.tail)}".strip()

    def _key(self, is_text: bool) -> str:
        return self.key if is_text or not self.json_key else self.json_key


def notated(head: str, key: str, tail: str, notation: Notation) -> Writer:
    """Arguments with commas between them, as the notation writes them: `f(a="x", b=1)`."""

    def write(lark: Lark, function: Function) -> str:
        if function.is_open:
            before, after = key.split("{}")
            name = f"{literal(before)} {lark.terminal(_KEY)} {literal(after)}".strip()
            value = notation.value(lark, function, {})
            inside = f'({name} {value} ("," " "? {name} {value})*)?'
        else:
            inside = arguments(
                lark,
                function,
                lambda each, schema: literal(key.replace("{}", each)),
                lambda each: notation.value(lark, function, each),
            )
        return f"{literal(head.replace('{}', function.name))} {inside} {literal(tail)}"

    return write


def either_form(*writers: Writer) -> Writer:
    """One of several ways to write a call."""

    def write(lark: Lark, function: Function) -> str:
        return either(lark.rule(writer(lark, function)) for writer in writers)

    return write
