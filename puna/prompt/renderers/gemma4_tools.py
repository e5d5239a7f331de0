"""Gemma 4's notation of declarations and values. Facts: prompting spec, 3.12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from puna.gojson import Json
from puna.prompt.renderers.text import plain
from puna.prompt.renderers.tools import Parameters, Property, Tool

__all__ = ["declaration", "quote", "value_text"]

QUOTE = '<|"|>'
KEY_WORDS = frozenset({"description", "type", "properties", "required", "nullable"})
"""Properties of these names are not declared: the model's own template mistakes them too."""


def quote(text: str) -> str:
    """A text between quote tokens."""
    return f"{QUOTE}{text}{QUOTE}"


def value_text(value: Json) -> str:
    """A value; keys are sorted."""
    match value:
        case str():
            return quote(value)
        case Mapping():
            pairs = (f"{key}:{value_text(each)}" for key, each in sorted(value.items()))
            return f"{{{','.join(pairs)}}}"
        case Sequence():
            return f"[{','.join(map(value_text, value))}]"
        case _:
            return plain(value)


def declaration(tool: Tool) -> str:
    """A tool as the model is told of it."""
    text = f"description:{quote(tool.description)}"
    if tool.parameters.properties or tool.parameters.type:
        text += f",parameters:{{{_parameters(tool.parameters)}}}"
    return f"<|tool>declaration:{tool.name}{{{text}}}<tool|>"


def _parameters(parameters: Parameters) -> str:
    parts = []
    if parameters.properties:
        parts.append(f"properties:{{{_properties(parameters.properties)}}}")
    if parameters.required:
        parts.append(f"required:{value_text(parameters.required)}")
    if parameters.type:
        parts.append(f"type:{quote(parameters.type.upper())}")
    return ",".join(parts)


def _properties(properties: Mapping[str, Property]) -> str:
    shown = sorted(properties.items())
    return ",".join(f"{key}:{{{_property(each)}}}" for key, each in shown if key not in KEY_WORDS)


def _property(given: Property) -> str:
    types = [kind.upper() for kind in _types(given)]
    parts = [f"description:{quote(given.description)}"] if given.description else []
    if types == ["STRING"] and given.enum:
        parts.append(f"enum:{value_text(given.enum)}")
    if types == ["ARRAY"] and isinstance(given.items, Mapping) and given.items:
        parts.append(f"items:{{{_items(given.items)}}}")
    if types == ["OBJECT"]:
        parts.append(f"properties:{{{_properties(given.properties)}}}")
        if given.required:
            parts.append(f"required:{value_text(given.required)}")
    if types:
        parts.append(f"type:{_type_text(types)}")
    return ",".join(parts)


def _types(given: Property) -> Sequence[str]:
    """The types; alternatives that are nothing but types count as such."""
    if given.types or not given.any_of:
        return given.types
    if all(each.types and set(each.keys) == {"type"} for each in given.any_of):
        return [kind for each in given.any_of for kind in each.types]
    return ()


def _type_text(types: Sequence[str]) -> str:
    if len(types) == 1:
        return quote(types[0])
    return quote("[" + ", ".join(f"'{kind}'" for kind in types) + "]")


def _items(items: Mapping[str, Json]) -> str:
    return ",".join(_item(key, value) for key, value in sorted(items.items()))


def _item(key: str, value: Json) -> str:
    match key, value:
        case "type", str():
            return f"type:{quote(value.upper())}"
        case "type", Sequence():
            kinds = ",".join(quote(str(kind).upper()) for kind in value)
            return f"type:[{kinds}]"
        case "properties", Mapping():
            inner = ",".join(
                f"{name}:{{{_items(each)}}}"
                for name, each in sorted(value.items())
                if name not in KEY_WORDS and isinstance(each, Mapping)
            )
            return f"properties:{{{inner}}}"
        case _, Mapping():
            pairs = ",".join(
                f"{quote(name)}:{value_text(each)}" for name, each in sorted(value.items())
            )
            return f"{key}:{{{pairs}}}"
        case _:
            return f"{key}:{value_text(value)}"
