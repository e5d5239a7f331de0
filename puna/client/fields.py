"""The fields of a decoded JSON object, read leniently: what is missing or wrong is empty."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Json", "as_items", "as_number", "as_object", "as_text"]

Json = dict[str, object]
"""A decoded JSON object."""


def as_object(value: object) -> Json:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_text(data: Mapping[str, object], key: str) -> str:
    """The text under `key`, or an empty one."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


def as_number(data: Mapping[str, object], key: str) -> int:
    """The number under `key`, or 0."""
    value = data.get(key)
    return int(value) if isinstance(value, (int, float)) else 0


def as_items(value: object) -> list[object]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []
