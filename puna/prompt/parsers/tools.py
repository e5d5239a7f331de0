"""What a request declares of its tools, as far as reading calls needs it, and values by type.

Facts: prompting spec, 3.4.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from puna.prompt.parsers.declared import Function, types_of

__all__ = ["Tools", "typed"]

_INTEGERS = range(-(2**63), 2**63)
_LONGEST_NUMBER = 400  # digits; Python refuses to read numbers of thousands


class Tools:
    """The functions of a request, by name."""

    def __init__(self, declared: Iterable[Mapping[str, Any]] = ()) -> None:
        functions = [tool.get("function") for tool in declared]
        self._functions = {
            function["name"]: Function(function["name"], _schema(function.get("parameters")))
            for function in functions
            if isinstance(function, Mapping) and isinstance(function.get("name"), str)
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The functions' names, in the request's order."""
        return tuple(self._functions)

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions, in the request's order."""
        return tuple(self._functions.values())

    def properties(self, function: str) -> Mapping[str, Any]:
        """The schemas of a function's arguments."""
        found = self._functions.get(function)
        return found.properties if found else {}

    def required(self, function: str) -> tuple[str, ...]:
        """The arguments that a call must have."""
        found = self._functions.get(function)
        return found.required if found else ()

    def types(self, function: str, key: str) -> tuple[str, ...]:
        """The JSON types that an argument may have, none where nothing is known of it."""
        found = self._functions.get(function)
        return types_of(found.properties.get(key), found.parameters) if found else ()


def _schema(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def typed(raw: str, types: tuple[str, ...]) -> Any:
    """The value that `raw` spells as one of the JSON types, else the text itself."""
    if raw.lower() == "null":
        return None
    for kind in ("boolean", "integer", "number", "array", "object"):
        if kind in types:
            try:
                return _READERS[kind](raw)
            except (ValueError, RecursionError):
                continue
    return False if types == ("boolean",) else raw


def _boolean(raw: str) -> bool:
    if raw.lower() not in {"true", "false"}:
        raise ValueError(raw)
    return raw.lower() == "true"


def _integer(raw: str) -> int:
    if len(raw) > _LONGEST_NUMBER or "_" in raw or raw != raw.strip() or int(raw) not in _INTEGERS:
        raise ValueError(raw)
    return int(raw)


def _number(raw: str) -> int | float:
    if "_" in raw or raw != raw.strip():
        raise ValueError(raw)
    value = float(raw)
    if value - value != 0:  # JSON has no infinity
        raise ValueError(raw)
    return int(value) if value.is_integer() and int(value) in _INTEGERS else value


def _array(raw: str) -> list[Any]:
    value = json.loads(raw)
    if not isinstance(value, list):
        raise ValueError(raw)
    return value


def _object(raw: str) -> dict[str, Any]:
    value = json.loads(raw)
    if not isinstance(value, dict):
        raise ValueError(raw)
    return value


_READERS = {
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "array": _array,
    "object": _object,
}
