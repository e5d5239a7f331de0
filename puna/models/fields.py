"""Typed reads from decoded JSON objects: an absent or null field is its zero value, as in Go."""

from __future__ import annotations

from collections.abc import Mapping

from puna.errors import BadManifest
from puna.gojson import Json

__all__ = ["items_of", "object_of", "text_of", "texts_of", "whole_of"]

MAX_WHOLE = 2**63 - 1


def object_of(value: Json, what: str) -> Mapping[str, Json]:
    """`value` as an object, null as an empty one. Raises BadManifest naming `what`."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadManifest(f"{what} is not a JSON object")
    return value


def text_of(fields: Mapping[str, Json], key: str) -> str:
    """A string, or "" when absent. Raises BadManifest."""
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadManifest(f"field {key} is not a string")
    return value


def whole_of(fields: Mapping[str, Json], key: str) -> int:
    """A whole number from 0 to 2^63-1, or 0 when absent. Raises BadManifest."""
    value = fields.get(key)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_WHOLE:
        raise BadManifest(f"field {key} is not a whole number")
    return value


def items_of(fields: Mapping[str, Json], key: str) -> list[Json]:
    """An array, or an empty one when absent. Raises BadManifest."""
    value = fields.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadManifest(f"field {key} is not an array")
    return value


def texts_of(fields: Mapping[str, Json], key: str) -> tuple[str, ...]:
    """An array of strings, or an empty one when absent. Raises BadManifest."""
    items = items_of(fields, key)
    texts = tuple(item for item in items if isinstance(item, str))
    if len(texts) != len(items):
        raise BadManifest(f"field {key} is not an array of strings")
    return texts
