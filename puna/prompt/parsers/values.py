"""Grammars of values outside JSON, by the schemas of the arguments that they are for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from puna.prompt.parsers.declared import Function, Schema, resolved, types_of, values_of
from puna.prompt.parsers.lark import Lark, either, literal

__all__ = ["Notation", "arguments", "is_text", "tagged_value"]

_INTEGER = "/-?(0|[1-9][0-9]{0,17})/"
_NUMBER = r"/-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,15})?/"
_KEY = "/[A-Za-z_][A-Za-z0-9_]{0,63}/"
_KINDS = ("string", "integer", "number", "boolean", "null", "array", "object")
_NESTED = frozenset({"array", "object"})
_DEEPEST = 8  # objects and lists inside of each other; deeper ones may hold anything


def tagged_value(
    lark: Lark, function: Function, schema: Any, closing: str, never: Iterable[str]
) -> str:
    """A value up to and with the tag that closes it: texts as they are, all else as JSON."""
    known = resolved(schema, function.parameters)
    values = values_of(known)
    if values is not None:
        return lark.rule(f"({either(literal(_plain(each)) for each in values)}) {literal(closing)}")
    if is_text(function, known):
        return lark.until(closing, never)
    types = types_of(known, function.parameters)
    if not _NESTED.isdisjoint(types):
        return lark.rule(f"{_TAGLESS.value(lark, function, known)} {literal(closing)}")
    return lark.rule(f"{lark.json(function.whole(known))} {literal(closing)}")


def is_text(function: Function, schema: Any) -> bool:
    """Whether a value may be a text, which then stands without quotes."""
    types = types_of(schema, function.parameters)
    return not types or "string" in types


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Notation:
    """How a family writes values."""

    text: Callable[[Lark], str]
    """Any text, in its quotes."""
    quote: str
    words: Mapping[Any, str]
    """True, False and None."""
    key: str
    """Of an object: `{}` stands for its name."""

    def value(self, lark: Lark, function: Function, schema: Any, depth: int = 0) -> str:
        """A value that fits, as far as types, choices and the members of objects go."""
        known = resolved(schema, function.parameters)
        values = values_of(known)
        if values is not None:
            return lark.rule(either(literal(self._written(each)) for each in values))
        if depth > _DEEPEST:
            return self._anything(lark)
        if choices := _choices(known):
            return lark.rule(
                either(self.value(lark, function, each, depth + 1) for each in choices)
            )
        kinds = [kind for kind in types_of(known, function.parameters) if kind in _KINDS]
        if not kinds:
            return self._anything(lark)
        return lark.rule(
            either(self._of_kind(kind, known, lark, function, depth) for kind in kinds)
        )

    def _of_kind(
        self, kind: str, schema: Schema, lark: Lark, function: Function, depth: int
    ) -> str:
        match kind:
            case "string":
                return self.text(lark)
            case "integer":
                return lark.terminal(_INTEGER)
            case "number":
                return lark.terminal(_NUMBER)
            case "boolean":
                return either(literal(self.words[each]) for each in (True, False))
            case "null":
                return literal(self.words[None])
            case "array":
                item = self.value(lark, function, schema.get("items"), depth + 1)
                return lark.rule(f'"[" ({item} ("," " "? {item})*)? "]"')
        inner = Function(function.name, function.whole(schema))
        if inner.is_open:
            return self._anything(lark)
        members = arguments(
            lark,
            inner,
            lambda name, each: literal(self.key.format(name)),
            lambda each: self.value(lark, inner, each, depth + 1),
        )
        return lark.rule(f'"{{" {members} "}}"')

    def _anything(self, lark: Lark) -> str:
        """Texts, numbers and words, and objects of them."""
        plain = lark.rule(
            either(
                (
                    self.text(lark),
                    lark.terminal(_NUMBER),
                    *(literal(self.words[each]) for each in (True, False, None)),
                )
            )
        )
        before, after = self.key.split("{}")
        key = f"{literal(before)} {lark.terminal(_KEY)} {literal(after)}"
        member = lark.rule(f"{key} {plain}")
        return lark.rule(
            f'{plain} | "{{" ({member} ("," " "? {member})*)? "}}"'
            f' | "[" ({plain} ("," " "? {plain})*)? "]"'
        )

    def _written(self, value: Any) -> str:
        if isinstance(value, str):
            return f"{self.quote}{value}{self.quote}"
        if value is None or isinstance(value, bool):
            return self.words[value]
        return json.dumps(value, ensure_ascii=False)


_TAGLESS = Notation(
    lambda lark: lark.terminal(r'/"([^"\\<\x00-\x1f]|\\(["\\\/bfnrt]|u[0-9a-fA-F]{4}))*"/'),
    '"',
    {True: "true", False: "false", None: "null"},
    '"{}": ',
)
"""JSON between tags: no text in it has what tags begin with, unless it is escaped."""


def _choices(schema: Schema) -> list[Any]:
    return next(
        (each for key in ("anyOf", "oneOf") if isinstance(each := schema.get(key), list)), []
    )


def arguments(
    lark: Lark,
    function: Function,
    key: Callable[[str, Any], str],
    value: Callable[[Any], str],
    comma: str = '"," " "?',
) -> str:
    """The declared arguments in their order; those that are not required may be missing.

    `key` gives the expression before a value of a schema, `comma` the one between two arguments.
    """
    first = rest = ""  # the arguments from one on, if none and if some stand before it
    may_be_none = True
    for name, schema in reversed([*function.properties.items()]):
        one = lark.rule(f"{key(name, schema)} {value(schema)}")
        is_required = name in function.required
        first = f"{one} {rest}" if is_required or not first else f"{one} {rest} | {first}"
        may_be_none = may_be_none and not is_required
        rest = lark.rule(f"{comma} {one} {rest}" if is_required else f"({comma} {one})? {rest}")
    return lark.rule(f"({first})?" if may_be_none else first) if first else ""
