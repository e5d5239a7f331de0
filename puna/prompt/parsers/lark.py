"""Grammars in Lark, as the runner reads them, put together piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Lark", "either", "literal"]

_SPACES = {"whitespace_flexible": True, "whitespace_pattern": r"[ ]?|\n{1,2}[ \t]{0,20}"}
_ANY = "/(?s:.*)/"


class Lark:
    """Rules that are being written. Every piece is an expression that stands in other rules."""

    def __init__(self) -> None:
        self._rules: list[str] = []
        self._names: dict[str, str] = {}

    def rule(self, body: str, options: str = "") -> str:
        """The name of a rule; equal ones are one."""
        return self._named(f"r{len(self._rules)}", options, body)

    def terminal(self, body: str) -> str:
        """The name of a terminal: what it matches is one piece, without rules inside."""
        return self._named(f"T{len(self._rules)}", "", body)

    def until(self, closing: str, never: Iterable[str] = ()) -> str:
        """Text up to and with the first `closing`, with none of `never` in it."""
        return self.rule(self.without(_ANY, never), f"[suffix={literal(closing)}]")

    def without(self, terminal: str, never: Iterable[str]) -> str:
        """What a terminal matches, but for what has one of `never` in it."""
        if unwanted := [*never]:
            terminal = f"{terminal} & ~({_ANY} ({either(map(literal, unwanted))}) {_ANY})"
        return self.terminal(terminal)

    def json(self, schema: Mapping[str, Any]) -> str:
        """A value that fits a JSON Schema. White space is bounded."""
        return self.rule(f"%json {json.dumps({**schema, 'x-guidance': _SPACES})}")

    def text(self, start: str) -> str:
        """The whole grammar."""
        return "\n".join((f"start: {start}", *self._rules, ""))

    def _named(self, name: str, options: str, body: str) -> str:
        key = f"{name[0]}{options}: {body}"
        if key not in self._names:
            self._names[key] = name
            self._rules.append(f"{name}{options}: {body}")
        return self._names[key]


def literal(text: str) -> str:
    """A text as it is; nothing for the empty one."""
    return json.dumps(text, ensure_ascii=False) if text else ""


def either(pieces: Iterable[str]) -> str:
    """One of the expressions, not in brackets."""
    return " | ".join(dict.fromkeys(pieces))
