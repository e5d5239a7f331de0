"""From wire structs to the schemas of the document.

msgspec derives them; added is what its types cannot say, and taken away what clients have no use
for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import msgspec
from msgspec import UNSET, Struct

from puna.api.fields import KeepAlive, MediaData, Think
from puna.server.openapi.details import DETAILS, NAMED
from puna.server.openapi.operation import Kind, Schema

__all__ = ["Components", "reachable"]

_PREFIX = "#/components/schemas/"
_FIELDS: dict[type, Schema] = {
    object: {"description": "Anything."},  # nothing at all would count as no answer
    KeepAlive: {
        "anyOf": [{"type": "string"}, {"type": "number"}],
        "description": "Seconds, or a duration such as `5m`; negative: for ever.",
        "examples": ["5m", -1],
    },
    Think: {"anyOf": [{"type": "boolean"}, {"enum": ["low", "medium", "high", "max"]}]},
    MediaData: {"type": "string", "contentEncoding": "base64"},
}
_SHOWN = frozenset({"_debug_render_only", "_debug_info"})
"""Fields with an underscore that are not the server's own."""


class Components:
    """The schemas of types and of all that they stand on. `sent` come from clients."""

    def __init__(self, sent: Iterable[type[Struct]], told: Iterable[type[Struct]]) -> None:
        read = reachable(sent)
        kinds = read | reachable(told)
        self._names = {kind: _name(kind) for kind in sorted(kinds, key=_name)}
        self.schemas: dict[str, Schema] = dict(NAMED)
        for kind, name in self._names.items():
            self.schemas[name] = self._schema(kind, is_read=kind in read)

    def of(self, kinds: Sequence[Kind]) -> Schema:
        """The schema of a value that has one of these types."""
        schemas = [self._resolved(kind) for kind in kinds]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def _schema(self, kind: type[Struct], *, is_read: bool) -> Schema:
        _, made = msgspec.json.schema_components(
            [kind], schema_hook=_of_field, ref_template=_PREFIX + "{name}"
        )
        schema: Schema = self._renamed(made[kind.__name__], kind)
        details = _details(kind)
        properties: dict[str, Schema] = schema["properties"]
        for spec in msgspec.structs.fields(kind):
            name = spec.encode_name
            if name.startswith("_") and name not in _SHOWN:
                del properties[name]
            elif spec.name in details:
                properties[name] = _default(properties[name]) | self._resolved(details[spec.name])
            always = not kind.__struct_config__.omit_defaults and spec.default is not UNSET
            if not is_read and always and name not in schema["required"]:
                schema["required"].append(name)
        if not schema["required"]:
            del schema["required"]
        return schema

    def _resolved(self, value: Any) -> Any:
        """Replace types by references to them."""
        if isinstance(value, type):
            return {"$ref": _PREFIX + self._names[value]}
        if isinstance(value, dict):
            return {key: self._resolved(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._resolved(item) for item in value]
        return value

    def _renamed(self, value: Any, kind: type[Struct]) -> Any:
        """Point to the types by the names that they have here."""
        own = {_PREFIX + each.__name__: _PREFIX + self._names[each] for each in reachable([kind])}
        return _replaced(value, own)


def reachable(kinds: Iterable[type[Struct]]) -> set[type[Struct]]:
    """These types and all structs in their fields."""
    found: set[type[Struct]] = set()
    left: list[Any] = list(kinds)
    while left:
        kind = left.pop()
        left += get_args(kind)
        if isinstance(kind, type) and issubclass(kind, Struct) and kind not in found:
            found.add(kind)
            left += [spec.type for spec in msgspec.structs.fields(kind)]
            left += _types_in(list(_details(kind).values()))
    return found


def _name(kind: type[Struct]) -> str:
    """Each API has types of its own, some of which share a name with another's."""
    for api in ("OpenAI", "Anthropic"):
        if api.lower() in kind.__module__.split("."):
            return f"{api}.{kind.__name__}"
    return kind.__name__


def _details(kind: type[Struct]) -> Mapping[str, Schema]:
    """What is told of fields, by their names; also of those that a type inherits."""
    found: dict[str, Schema] = {}
    for base in reversed(kind.__mro__):
        found |= DETAILS.get(base, {})
    return found


def _types_in(value: Any) -> list[Any]:
    if isinstance(value, type):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [kind for item in items for kind in _types_in(item)]


def _default(schema: Schema) -> Schema:
    return {"default": schema["default"]} if "default" in schema else {}


def _of_field(kind: type) -> Schema:
    try:
        return _FIELDS[kind]
    except KeyError:
        raise NotImplementedError(kind) from None


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {key: _replaced(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, names) for item in value]
    return value
