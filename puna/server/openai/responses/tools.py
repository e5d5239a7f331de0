"""Declared tools as functions, and the model's calls as items of the tool's own kind.

A custom tool, whose input is any text, becomes a function with one parameter; the shell of coding
agents one with its action's fields. Tools that the vendor runs itself are not shown to the model.
Facts: compatibility spec, 6.3 and 9.6.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from puna.api.requests import ToolCall
from puna.errors import InvalidField

__all__ = [
    "CALLS",
    "RESULTS",
    "CallItem",
    "CustomCall",
    "FunctionCallItem",
    "Toolbox",
    "chat_choice",
    "read_tools",
]

_encode = msgspec.json.Encoder().encode

_INPUT = "input"  # the parameter of a custom tool
_SHELL = "local_shell"
_SHELL_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "command": {"type": "array", "items": {"type": "string"}},
        "working_directory": {"type": "string"},
        "timeout_ms": {"type": "integer"},
    },
    "required": ["command"],
}


class FunctionCallItem(Struct, kw_only=True, tag_field="type", tag="function_call"):
    """A call of a function; `namespace` is there where the tool was declared in one."""

    id: str
    status: str = "completed"
    call_id: str
    name: str
    namespace: str | UnsetType = UNSET
    arguments: str


class CustomCall(Struct, kw_only=True, tag_field="type", tag="custom_tool_call"):
    """A call of a custom tool."""

    id: str
    status: str = "completed"
    call_id: str
    name: str
    namespace: str | UnsetType = UNSET
    input: str


class ShellAction(Struct, kw_only=True, tag_field="type", tag="exec"):
    """What a shell is to do."""

    command: list[str]
    env: dict[str, str] = msgspec.field(default_factory=dict)
    timeout_ms: int | None = None
    working_directory: str | None = None


class ShellCall(Struct, kw_only=True, tag_field="type", tag="local_shell_call"):
    """A call of the shell."""

    id: str
    status: str = "completed"
    call_id: str
    action: ShellAction


CallItem = FunctionCallItem | CustomCall | ShellCall


def _function_call(item: dict[str, Any]) -> tuple[str, Any]:
    name, namespace = str(item.get("name", "")), item.get("namespace")
    return _dotted(namespace, name) if isinstance(namespace, str) else name, item.get("arguments")


def _custom_call(item: dict[str, Any]) -> tuple[str, Any]:
    return _function_call(item)[0], {_INPUT: item.get("input", "")}


def _action(kind: str, field: str) -> Callable[[dict[str, Any]], tuple[str, Any]]:
    def read(item: dict[str, Any]) -> tuple[str, Any]:
        action = item.get(field)
        given = action.items() if isinstance(action, dict) else ()
        return kind, {key: value for key, value in given if value and key != "type"}

    return read


CALLS: dict[str, Callable[[dict[str, Any]], tuple[str, Any]]] = {
    "function_call": _function_call,
    "custom_tool_call": _custom_call,
    "local_shell_call": _action(_SHELL, "action"),
    "shell_call": _action("shell", "action"),
    "apply_patch_call": _action("apply_patch", "operation"),
}
"""Kinds of items that are calls, to the name and the arguments that the model knows them by.
Arguments that are no object are the text of one."""

RESULTS = {
    "function_call_output",
    "custom_tool_call_output",
    "local_shell_call_output",
    "shell_call_output",
    "apply_patch_call_output",
}
"""Kinds of items that are a call's result."""


@dataclass(frozen=True, slots=True)
class _Declared:
    kind: str
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The functions that the model is shown, and what each was declared as."""

    functions: list[dict[str, Any]] = field(default_factory=list)
    declared: dict[str, _Declared] = field(default_factory=dict)

    def begin(self, call_id: str, name: str) -> FunctionCallItem | None:
        """A call that is being written; None for one that clients know in another form than the
        model, which has to be whole before it can be told.
        """
        tool = self._declared(name)
        is_other = tool.kind in {"custom", "local_shell"}
        return None if is_other else _call_item(tool, call_id, "")

    def item(self, call: ToolCall) -> CallItem:
        """A call as the client knows it."""
        name, arguments = call.function.name, call.function.arguments
        tool = self._declared(name)
        match tool.kind:
            case "custom":
                text = arguments.get(_INPUT)
                return CustomCall(
                    id=_id("ctc"),
                    call_id=call.id,
                    name=tool.name,
                    namespace=tool.namespace or UNSET,
                    input=text if isinstance(text, str) else _encode(arguments).decode(),
                )
            case "local_shell":
                return ShellCall(id=_id("lsh"), call_id=call.id, action=_shell_action(arguments))
        return _call_item(tool, call.id, _encode(arguments).decode())

    def _declared(self, name: str) -> _Declared:
        return self.declared.get(name, _Declared("function", name))


def _call_item(tool: _Declared, call_id: str, arguments: str) -> FunctionCallItem:
    return FunctionCallItem(
        id=_id("fc"),
        call_id=call_id,
        name=tool.name,
        namespace=tool.namespace or UNSET,
        arguments=arguments,
    )


def _id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(16)}"


def _shell_action(arguments: dict[str, Any]) -> ShellAction:
    """What of the model's arguments has the right type; a command in one text goes to a shell."""
    command, limit = arguments.get("command"), arguments.get("timeout_ms")
    folder = arguments.get("working_directory")
    if isinstance(command, str):
        command = ["bash", "-lc", command]
    return ShellAction(
        command=[str(word) for word in command] if isinstance(command, list) else [],
        timeout_ms=limit if type(limit) is int else None,
        working_directory=folder if isinstance(folder, str) else None,
    )


def read_tools(tools: Sequence[dict[str, Any]]) -> Toolbox:
    """Read the tools of a request. Raises InvalidField for one without a name."""
    box = Toolbox()
    for at, tool in enumerate(tools):
        _add(box, tool, "", f"tools[{at}]")
    return box


def _add(box: Toolbox, tool: dict[str, Any], namespace: str, place: str) -> None:
    match tool:
        case {"type": "namespace", "name": str(name), "tools": list(members)}:
            inner = _dotted(namespace, name) if namespace else name
            for at, member in enumerate(members):
                if isinstance(member, dict):
                    _add(box, member, inner, f"{place}.tools[{at}]")
        case {"type": "function" | "custom" as kind, "name": str(name)} if name:
            shown = _dotted(namespace, name)
            box.declared[shown] = _Declared(kind, name, namespace)
            box.functions.append(_function(kind, shown, tool))
        case {"type": "function" | "custom" | "namespace"}:
            raise InvalidField(f"{place}: a tool needs a name", f"{place}.name")
        case {"type": "local_shell"}:
            box.declared[_SHELL] = _Declared("local_shell", _SHELL)
            told = "Run a command in a shell on the user's machine."
            box.functions.append(_as_function(_SHELL, told, _SHELL_PARAMETERS))


def _dotted(namespace: str, name: str) -> str:
    """The name that the model sees."""
    if not namespace or name.startswith(f"{namespace}."):
        return name
    return f"{namespace}.{name}"


def _function(kind: str, name: str, tool: dict[str, Any]) -> dict[str, Any]:
    told = tool.get("description")
    description = told if isinstance(told, str) else ""
    if kind == "function":
        return _as_function(name, description, tool.get("parameters"))
    match tool.get("format"):
        case {"type": "grammar", "syntax": str(syntax), "definition": str(definition)}:
            description += f"\nThe input follows this {syntax} grammar:\n{definition}"
    text = {"type": "string", "description": "The whole input, as plain text"}
    parameters = {"type": "object", "properties": {_INPUT: text}, "required": [_INPUT]}
    return _as_function(name, description, parameters)


def _as_function(name: str, description: str, parameters: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {}} if parameters is None else parameters
    function = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": function}


def chat_choice(value: Any) -> Any:
    """`tool_choice` as /v1/chat/completions has it."""
    match value:
        case {"type": "allowed_tools", "tools": list(allowed)}:
            inner = {"mode": value.get("mode"), "tools": [chat_choice(each) for each in allowed]}
            return {"type": "allowed_tools", "allowed_tools": inner}
        case {"type": "function" | "custom", "name": str(name)}:
            return {"type": "function", "function": {"name": name}}
        case {"type": "local_shell"}:
            return {"type": "function", "function": {"name": _SHELL}}
    return value
