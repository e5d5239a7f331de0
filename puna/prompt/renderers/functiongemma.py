"""FunctionGemma: a notation for declarations and values. Facts: prompting spec, 3.11."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from puna.api.requests import Message, ToolCall
from puna.gojson import Json
from puna.prompt.renderers.chat import Chat
from puna.prompt.renderers.text import plain, trim
from puna.prompt.renderers.tools import Parameters, Property, Tool

__all__ = ["render"]

FUNCTIONS = "You can do function calling with the following functions:"
RESPONSE = "<start_function_response>"


def render(chat: Chat) -> str:
    """The prompt of a chat."""
    messages = chat.messages
    leads = bool(messages) and messages[0].role in ("system", "developer")
    prompt = "<bos>" + _developer(chat.tools, trim(messages[0].content) if leads else "")
    calls: Sequence[ToolCall] = ()
    results = 0
    for at, message in enumerate(messages):
        before = messages[at - 1].role if at else ""
        if message.role == "tool":
            name = calls[results].function.name if results < len(calls) else message.tool_name
            opened = before == "assistant" and bool(messages[at - 1].tool_calls)
            prompt += "" if opened else RESPONSE
            prompt += f"response:{name}{{{_value(message.content)}}}<end_function_response>"
            results += 1
        elif message.role in ("user", "assistant"):
            calls, results = message.tool_calls, 0
            answered = at + 1 < len(messages) and messages[at + 1].role == "tool"
            prompt += _turn(message, opens=before != "tool", answered=answered)
    if messages and messages[-1].role == "tool":
        return prompt
    return prompt + "<start_of_turn>model\n"


def _developer(tools: Sequence[Tool], system: str) -> str:
    if not system and not tools:
        return ""
    text = system
    if tools:
        text += "\n" if system else ""
        text += "" if system == FUNCTIONS else FUNCTIONS
    declarations = "".join(map(_declaration, tools))
    return f"<start_of_turn>developer\n{text}{declarations}<end_of_turn>\n"


def _declaration(tool: Tool) -> str:
    text = f"description:{_value(tool.description)}"
    if tool.parameters.properties or tool.parameters.type:
        text += f",parameters:{{{_parameters(tool.parameters)}}}"
    return (
        f"<start_function_declaration>declaration:{tool.name}{{{text}}}<end_function_declaration>"
    )


def _parameters(parameters: Parameters) -> str:
    properties = sorted((parameters.properties or {}).items())
    parts = []
    if properties:
        inner = ",".join(f"{name}:{{{_property(each)}}}" for name, each in properties)
        parts.append(f"properties:{{{inner}}}")
    if parameters.required:
        parts.append(f"required:{_value(parameters.required)}")
    if parameters.type:
        parts.append(f"type:{_value(parameters.type.upper())}")
    return ",".join(parts)


def _property(given: Property) -> str:
    parts = [f"description:{_value(given.description)}"] if given.description else []
    if given.types:
        parts.append(f"type:{_value(given.types[0].upper())}")
    return ",".join(parts)


def _turn(message: Message, *, opens: bool, answered: bool) -> str:
    role = "model" if message.role == "assistant" else "user"
    text = (f"<start_of_turn>{role}\n" if opens else "") + trim(message.content)
    text += "".join(map(_call, message.tool_calls))
    return text + (RESPONSE if message.tool_calls and answered else "<end_of_turn>\n")


def _call(call: ToolCall) -> str:
    arguments = _value(call.function.arguments)
    return f"<start_function_call>call:{call.function.name}{arguments}<end_function_call>"


def _value(value: Json) -> str:
    match value:
        case str():
            return f"<escape>{value}<escape>"
        case Mapping():
            pairs = ",".join(f"{key}:{_value(each)}" for key, each in sorted(value.items()))
            return f"{{{pairs}}}"
        case Sequence():
            return f"[{','.join(map(_value, value))}]"
        case _:
            return plain(value)
