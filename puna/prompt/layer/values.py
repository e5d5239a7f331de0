"""Messages, tools and calls as template layers see them.

Facts: prompting spec, 1.2. What has a JSON form prints as it; keys that a template cannot see are
not printed either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from puna.api.requests import Message, ToolCall
from puna.gojson import Fields, Json, encode
from puna.prompt.gotemplate import CallError, NamedList, NamedMap, Struct

__all__ = ["make_message", "make_tools", "to_json", "typescript_type"]


class _Object(Struct):
    """A struct with a JSON form."""

    __slots__ = ("json",)

    def __init__(
        self, kind: str, fields: Mapping[str, object], json: Json, *, prints: bool = True
    ) -> None:
        super().__init__(kind, fields, text=self._print if prints else None)
        self.json = json

    def _print(self) -> str:
        return _encoded(self.json)


class _Message(Struct):
    """A message; its JSON form is seldom wanted."""

    __slots__ = ("message",)

    def __init__(self, message: Message, fields: Mapping[str, object]) -> None:
        super().__init__("*api.Message", fields)
        self.message = message


class _Map(NamedMap):
    __slots__ = ("json",)

    def __init__(self, kind: str, items: Mapping[str, object], json: Json) -> None:
        super().__init__(kind, items, lambda: _encoded(json if json is not None else {}))
        self.json = json


class _List(NamedList):
    __slots__ = ("json",)

    def __init__(
        self,
        kind: str,
        items: Iterable[object],
        json: Json,
        text: Callable[[], str] | None = None,
    ) -> None:
        super().__init__(kind, items, text or (lambda: _encoded(json)))
        self.json = json


def to_json(value: object) -> str:
    """The JSON text of any value that a template can hold. Raises CallError."""
    return _encoded(_json_of(value))


def _encoded(value: Json) -> str:
    try:
        return encode(value).decode()
    except (ValueError, RecursionError) as problem:
        raise CallError(f"json: {problem or 'nested too deeply'}") from None


def _json_of(value: object) -> Json:
    match value:
        case _Object() | _Map() | _List():
            return value.json
        case _Message():
            return _message_json(value.message)
        case Struct():
            return Fields({name: _json_of(inner) for name, inner in value.fields.items()})
        case dict():
            return {key: _json_of(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_json_of(inner) for inner in value]
        case None | bool() | int() | float() | str():
            return value
    raise CallError("json: unsupported type")


def make_message(message: Message) -> Struct:
    """A message with the fields that templates may name."""
    fields: dict[str, object] = {
        "Role": message.role,
        "Content": message.content,
        "Thinking": message.thinking,
        "Images": [],
        "ToolCalls": [_call_value(call) for call in message.tool_calls],
        "ToolName": message.tool_name,
        "ToolCallID": message.tool_call_id,
    }
    return _Message(message, fields)


def _message_json(message: Message) -> Fields:
    calls = [_json_of(_call_value(call)) for call in message.tool_calls]
    return Fields(
        {
            "role": message.role,
            "content": message.content,
            **_given(
                thinking=message.thinking,
                tool_calls=calls,
                tool_name=message.tool_name,
                tool_call_id=message.tool_call_id,
            ),
        }
    )


def _call_value(call: ToolCall) -> Struct:
    called = call.function
    arguments = _Map("api.ToolCallFunctionArguments", called.arguments, called.arguments)
    json = Fields({"index": called.index, "name": called.name, "arguments": called.arguments})
    function = _Object(
        "api.ToolCallFunction",
        {"Index": called.index, "Name": called.name, "Arguments": arguments},
        json,
    )
    whole = Fields({**({"id": call.id} if call.id else {}), "function": json})
    return _Object("api.ToolCall", {"ID": call.id, "Function": function}, whole, prints=False)


def make_tools(tools: Sequence[Mapping[str, Any]]) -> NamedList | None:
    """The list of tools, None when there are none."""
    values = [_tool(tool) for tool in tools]
    return _List("api.Tools", values, [value.json for value in values]) if values else None


def _tool(tool: Mapping[str, Any]) -> _Object:
    function = _function(_mapping(tool.get("function")))
    kind, items = _text(tool.get("type")), tool.get("items")
    json = Fields({"type": kind, **_given(items=items), "function": function.json})
    return _Object("api.Tool", {"Type": kind, "Items": items, "Function": function}, json)


def _function(function: Mapping[str, Any]) -> _Object:
    parameters = _parameters(_mapping(function.get("parameters")))
    name, description = _text(function.get("name")), _text(function.get("description"))
    json = Fields({"name": name, "description": description, "parameters": parameters.json})
    fields = {"Name": name, "Description": description, "Parameters": parameters}
    return _Object("api.ToolFunction", fields, json)


def _parameters(parameters: Mapping[str, Any]) -> _Object:
    kind, required = _text(parameters.get("type")), _texts(parameters.get("required"))
    definitions, items = parameters.get("$defs"), parameters.get("items")
    properties = _properties(parameters.get("properties"))
    json = Fields(
        {
            "type": kind,
            **_given(**{"$defs": definitions}, items=items, required=required),
            "properties": properties.json,
        }
    )
    fields = {
        "Type": kind,
        "Defs": definitions,
        "Items": items,
        "Required": required,
        "Properties": properties,
    }
    return _Object("api.ToolFunctionParameters", fields, json)


def _properties(properties: object) -> _Map:
    if not isinstance(properties, dict):
        return _Map("api.ToolProperties", {}, None)
    values = {str(name): _property(_mapping(each)) for name, each in properties.items()}
    json = {name: value.json for name, value in values.items()}
    return _Map("api.ToolProperties", values, json)


def _property(given: Mapping[str, Any]) -> _Object:
    any_of = [_property(_mapping(each)) for each in _list(given.get("anyOf"))]
    kinds = _texts([given["type"]] if isinstance(given.get("type"), str) else given.get("type"))
    items, enum = given.get("items"), _list(given.get("enum"))
    description, required = _text(given.get("description")), _texts(given.get("required"))
    nested = _properties(given.get("properties"))
    json = Fields(
        _given(
            anyOf=[each.json for each in any_of],
            type=kinds[0] if len(kinds) == 1 else kinds,
            items=items,
            description=description,
            enum=enum,
            properties=nested.json,
            required=required,
        )
    )
    shown = kinds[0] if len(kinds) == 1 else f"[{' '.join(kinds)}]"
    fields = {
        "AnyOf": any_of,
        "Type": _List("api.PropertyType", kinds, json.get("type"), lambda: shown),
        "Items": items,
        "Description": description,
        "Enum": enum,
        "Properties": nested,
        "Required": required,
    }
    return _Object("api.ToolProperty", fields, json)


_TYPESCRIPT = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "array": "any[]",
    "object": "Record<string, any>",
    "null": "null",
}


def typescript_type(value: object) -> str:
    """The TypeScript type of a property."""
    if not isinstance(value, Struct):
        return "any"
    branches, kinds = value.fields.get("AnyOf"), value.fields.get("Type")
    if isinstance(branches, list) and branches:
        return " | ".join(map(typescript_type, branches))
    if not isinstance(kinds, list) or not kinds:
        return "any"
    return " | ".join(_TYPESCRIPT.get(str(kind), "any") for kind in kinds)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [each for each in _list(value) if isinstance(each, str)]


def _given(**fields: Json) -> dict[str, Json]:
    """Those that are not empty."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
