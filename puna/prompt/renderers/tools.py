"""The tools of a request, with the JSON form that renderers write.

Facts: prompting spec, 1.2. Keys that the reference does not know are left out, and so are values
of the wrong kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from puna.gojson import Fields, Json

__all__ = ["Parameters", "Property", "Tool", "parse_tool"]


@dataclass(frozen=True, slots=True)
class Property:
    """One parameter of a tool, or a part of one."""

    types: tuple[str, ...]
    description: str
    enum: tuple[Json, ...]
    items: Json
    any_of: tuple[Property, ...]
    properties: Mapping[str, Property]
    required: tuple[str, ...]
    keys: tuple[str, ...]
    """The keys as the client ordered them."""

    @property
    def json(self) -> Fields:
        """As it stands in a tool."""
        return _given(
            anyOf=[each.json for each in self.any_of],
            type=self.type_json,
            items=self.items,
            description=self.description,
            enum=self.enum,
            properties=_json_of(self.properties),
            required=self.required,
        )

    @property
    def type_json(self) -> Json:
        """A text if there is one type, else a list."""
        return self.types[0] if len(self.types) == 1 else self.types

    def extras(self) -> Mapping[str, Json]:
        """All but type and description, in the client's order."""
        json = self.json
        return {key: json[key] for key in self.keys if key in json and key not in _SHOWN}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a tool takes."""

    type: str
    defs: Json
    items: Json
    required: tuple[str, ...]
    properties: Mapping[str, Property] | None
    keys: tuple[str, ...]

    @property
    def json(self) -> Fields:
        """As it stands in a tool."""
        given = _given(**{"$defs": self.defs}, items=self.items, required=self.required)
        properties = None if self.properties is None else _json_of(self.properties)
        return Fields({"type": self.type, **given, "properties": properties})

    def extras(self) -> Mapping[str, Json]:
        """All but type and properties, in the client's order."""
        json = self.json
        return {key: json[key] for key in self.keys if key in json and key not in _FRAME}


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call."""

    type: str
    items: Json
    name: str
    description: str
    parameters: Parameters

    @property
    def function(self) -> Fields:
        """The function's JSON alone."""
        return Fields(
            {
                "name": self.name,
                **_given(description=self.description),
                "parameters": self.parameters.json,
            }
        )

    @property
    def json(self) -> Fields:
        """The whole tool's."""
        return Fields({"type": self.type, **_given(items=self.items), "function": self.function})


_SHOWN = ("type", "description")
_FRAME = ("type", "properties")


def parse_tool(given: Mapping[str, Any]) -> Tool:
    """Read a tool as clients send it."""
    function = _mapping(given.get("function"))
    return Tool(
        type=_text(given.get("type")),
        items=given.get("items"),
        name=_text(function.get("name")),
        description=_text(function.get("description")),
        parameters=_parse_parameters(_mapping(function.get("parameters"))),
    )


def _parse_parameters(given: Mapping[str, Any]) -> Parameters:
    properties = given.get("properties")
    return Parameters(
        type=_text(given.get("type")),
        defs=given.get("$defs"),
        items=given.get("items"),
        required=_texts(given.get("required")),
        properties=_parse_properties(properties) if isinstance(properties, dict) else None,
        keys=tuple(given),
    )


def _parse_properties(given: object) -> Mapping[str, Property]:
    return {name: _parse_property(_mapping(each)) for name, each in _mapping(given).items()}


def _parse_property(given: Mapping[str, Any]) -> Property:
    types = given.get("type")
    return Property(
        types=(types,) if isinstance(types, str) else _texts(types),
        description=_text(given.get("description")),
        enum=tuple(_list(given.get("enum"))),
        items=given.get("items"),
        any_of=tuple(_parse_property(_mapping(each)) for each in _list(given.get("anyOf"))),
        properties=_parse_properties(given.get("properties")),
        required=_texts(given.get("required")),
        keys=tuple(given),
    )


def _json_of(properties: Mapping[str, Property]) -> Fields:
    return Fields({name: each.json for name, each in properties.items()})


def _given(**fields: Json) -> Fields:
    """Those that are not empty."""
    return Fields(
        {name: value for name, value in fields.items() if value not in (None, "", [], (), {})}
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in _list(value) if isinstance(each, str))
