"""Readers of calls that several families share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from puna.prompt.parsers.family import BadCall, Body, Found, Reader
from puna.prompt.parsers.tools import typed

__all__ = [
    "json_calls",
    "named_json",
    "parameters",
    "read_functions",
    "read_json",
    "read_object",
]


def read_json(text: str) -> Any:
    """A JSON value. Raises BadCall."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise BadCall(f"failed to parse JSON: {fault}") from fault


def read_object(value: Any) -> dict[str, Any]:
    """Arguments as an object; some models write the object as a text. Raises BadCall."""
    if isinstance(value, str):
        value = read_json(value)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadCall("arguments are no object")
    return value


def json_calls(
    names: Sequence[str] = ("name",), arguments: Sequence[str] = ("arguments", "parameters")
) -> Reader:
    """Reads a JSON object that is a call, or an array of them."""

    def read(body: Body) -> Iterator[Found]:
        value = read_json(body.text)
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, dict):
                raise BadCall("a call is no object")
            inner = each.get("function")
            call = inner if isinstance(inner, dict) and "name" not in each else each
            name = next((call[key] for key in names if key in call), None)
            if not isinstance(name, str) or not name:
                raise BadCall("empty function name")
            yield name, read_object(next((call[key] for key in arguments if key in call), {}))

    return read


def named_json(body: Body) -> Iterator[Found]:
    """Reads the arguments of the function that the head names."""
    if not body.head.strip():
        raise BadCall("empty function name")
    yield body.head.strip(), read_object(read_json(body.text))


_FUNCTION = re.compile(r"\s*<function=([^>\n]+)>(.*)</function>\s*", re.DOTALL)
_PARAMETER = re.compile(r"\s*<parameter=([^>\n]+)>(.*?)</parameter>", re.DOTALL)


def read_functions(body: Body) -> Iterator[Found]:
    """Reads `<function=NAME>` with `<parameter=KEY>VALUE</parameter>`, values by their types."""
    whole = _FUNCTION.fullmatch(body.text)
    if whole is None:
        raise BadCall("malformed function call: no <function=NAME> that is closed")
    name, inner = whole[1].strip(), whole[2]
    pairs = parameters(_PARAMETER, "<parameter=", inner)
    yield name, {key: typed(_line(raw), body.tools.types(name, key)) for key, raw in pairs}


def parameters(pattern: re.Pattern[str], opening: str, inner: str) -> list[tuple[str, str]]:
    """Keys and raw values, one match of `pattern` each and nothing between. Raises BadCall."""
    pairs, at = [], 0
    while found := pattern.match(inner, at):
        if opening in found[2]:
            raise BadCall("malformed function call: a parameter is not closed")
        pairs.append((found[1].strip(), found[2]))
        at = found.end()
    if inner[at:].strip():
        raise BadCall("malformed function call: text that is no parameter")
    return pairs


def _line(raw: str) -> str:
    """A value without the line ends around it."""
    return raw.removeprefix("\n").removesuffix("\n")
