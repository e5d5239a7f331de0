"""What in a JSON value a schema of the OpenAPI document does not say. Reads the words of JSON
Schema that the document uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["problems"]

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def problems(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """Each place where the value is not as told; also fields that are not told of."""
    return list(_problems(value, schema, document, "$"))


def _problems(value: Any, schema: Any, document: Any, place: str) -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        yield from _problems(value, document["components"]["schemas"][name], document, place)
    if "anyOf" in schema:
        tried = [list(_problems(value, each, document, place)) for each in schema["anyOf"]]
        if all(tried):
            yield f"{place}: fits none of {len(tried)}: {min(tried, key=len)}"
    if "const" in schema and value != schema["const"]:
        yield f"{place}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is none of {schema['enum']}"
    kind = schema.get("type")
    if kind and (
        not isinstance(value, _TYPES[kind])
        or (kind != "boolean" and value in (True, False) and isinstance(value, bool))
    ):
        yield f"{place}: {value!r} is no {kind}"
    elif kind == "array":
        for number, item in enumerate(value):
            yield from _problems(item, schema.get("items", {}), document, f"{place}[{number}]")
    elif kind == "object":
        yield from _fields(value, schema, document, place)


def _fields(value: dict[str, Any], schema: Any, document: Any, place: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{place}.{name}: is missing"
    known = schema.get("properties")
    for name, item in value.items():
        if known is not None and name not in known:
            yield f"{place}.{name}: is not told of"
        elif known is not None:
            yield from _problems(item, known[name], document, f"{place}.{name}")
