"""What an answer is held to, in the words of other servers: vLLM's `guided_…` and
`structured_outputs`, llama.cpp's `json_schema`. Facts: compatibility spec, 9.2.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from puna.api.openai import Extensions
from puna.errors import InvalidField

__all__ = ["Guide", "read_guide"]

_MEANS_SOMETHING = re.compile(r"[\\.+*?()|\[\]{}^$#&~-]")


@dataclass(frozen=True, slots=True)
class Guide:
    """At most one of the three, as the native API has them."""

    format: Any = None
    grammar: str = ""
    regex: str = ""


def read_guide(order: Extensions, format: Any = None) -> Guide:
    """What the request asks for; `format` is what its own API's field says, which wins. Raises
    InvalidField.
    """
    given = order.structured_outputs
    schema = order.guided_json or order.json_schema or given.get("json")
    choice = order.guided_choice or given.get("choice")
    grammar = order.grammar or order.guided_grammar or _text(given, "grammar")
    regex = order.regex or order.guided_regex or _text(given, "regex")
    if choice and not regex:
        regex = _one_of(choice)
    if format is None and schema is not None:
        format = _schema(schema)
    return Guide(format, grammar, regex)


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name) or ""
    if not isinstance(value, str):
        place = f"structured_outputs.{name}"
        raise InvalidField(f"{place} must be a text", place, "invalid_type")
    return value


def _schema(value: Any) -> dict[str, Any]:
    """A schema, or the text of one."""
    try:
        read = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise InvalidField("invalid format: expected a JSON Schema object", "guided_json")
    return read


def _one_of(choice: Any) -> str:
    if not isinstance(choice, list) or not all(isinstance(each, str) for each in choice):
        raise InvalidField("a choice is a list of texts", "guided_choice", "invalid_type")
    return "|".join(_MEANS_SOMETHING.sub(r"\\\g<0>", each) for each in choice)
