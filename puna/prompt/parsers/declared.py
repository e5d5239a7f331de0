"""JSON Schemas of tools, as far as writing and reading calls needs to understand them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Function", "Schema", "resolved", "types_of", "values_of"]

Schema = Mapping[str, Any]
_DEEPEST = 16  # references and choices followed
_DEFINITIONS = ("$defs", "definitions")


@dataclass(frozen=True, slots=True)
class Function:
    """A tool that may be called."""

    name: str
    parameters: Schema

    @property
    def properties(self) -> Schema:
        """Its arguments' schemas, in their order."""
        found = resolved(self.parameters, self.parameters).get("properties")
        return found if isinstance(found, Mapping) else {}

    @property
    def required(self) -> tuple[str, ...]:
        """The arguments that a call must have."""
        found = resolved(self.parameters, self.parameters).get("required")
        return tuple(each for each in found or () if isinstance(each, str))

    @property
    def is_open(self) -> bool:
        """Whether it says nothing of its arguments: there may be any."""
        schema = resolved(self.parameters, self.parameters)
        return not self.properties and schema.get("additionalProperties") is not False

    def whole(self, schema: Schema) -> dict[str, Any]:
        """A schema out of this function's, so that its references still lead somewhere."""
        shared = {key: self.parameters[key] for key in _DEFINITIONS if key in self.parameters}
        return {**shared, **schema}


def resolved(schema: Any, root: Schema) -> Schema:
    """The schema that a reference inside of `root` leads to; an empty one for anything else."""
    for _ in range(_DEEPEST):
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        schema = _at(reference, root)
    return {}


def _at(reference: str, root: Schema) -> Any:
    found: Any = root if reference.startswith("#") else None
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def types_of(schema: Any, root: Schema, depth: int = 0) -> tuple[str, ...]:
    """The JSON types that a value may have, none where nothing is known of it."""
    schema = resolved(schema, root)
    if depth > _DEEPEST:
        return ()
    said = schema.get("type")
    kinds = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    found = [kind for kind in kinds if isinstance(kind, str)]
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        for each in choices if isinstance(choices, list) else ():
            found += types_of(each, root, depth + 1)
    if not found:
        found = [_type(value) for value in values_of(schema) or ()]
    return tuple(dict.fromkeys(found))


def values_of(schema: Schema) -> list[Any] | None:
    """The values that there are to choose from; None for any."""
    if "const" in schema:
        return [schema["const"]]
    listed = schema.get("enum")
    return listed if isinstance(listed, list) and listed else None


def _type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"
