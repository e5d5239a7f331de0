"""Nemotron 3: Qwen3-Coder's tools and calls with thoughts. Facts: prompting spec, 3.18."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from puna.api.requests import Message, ToolCall
from puna.gojson import Json
from puna.prompt.renderers.chat import Chat, is_last, split_system
from puna.prompt.renderers.text import CALL_INSTRUCTIONS, chatml, plain, spaced_json, trim
from puna.prompt.renderers.tools import Property, Tool

__all__ = ["render_nano", "render_nano35"]

HEAD = "# Tools\n\nYou have access to the following functions:\n\n<tools>"
_MARK = re.compile(r"(?<!<)/think|/no_think")
EFFICIENT = "\n\n{reasoning effort: efficient}"


def render_nano(chat: Chat) -> str:
    """The prompt of a chat, in which `/think` and `/no_think` decide about thinking."""
    thinks = chat.thinks(unasked=True)
    messages = []
    for message in chat.messages:
        if message.role in ("user", "system"):
            thinks = _wished(message.content, unasked=thinks)
            if _MARK.search(message.content):
                message = replace(message, content=trim(_MARK.sub("", message.content)))
        messages.append(message)
    return _render(Chat(messages, chat.tools), thinks=thinks, joint="\n")


def _wished(text: str, *, unasked: bool) -> bool:
    marks = _MARK.findall(text)
    return "/no_think" not in marks if marks else unasked


def render_nano35(chat: Chat) -> str:
    """The prompt of a chat for version 3.5."""
    messages = list(chat.messages)
    last = _last_user(messages)
    if chat.think == "medium" and last >= 0:
        messages[last] = replace(messages[last], content=messages[last].content + EFFICIENT)
    return _render(Chat(messages, chat.tools), thinks=chat.thinks(unasked=True), joint="")


def _last_user(messages: Sequence[Message]) -> int:
    return max((at for at, each in enumerate(messages) if each.role == "user"), default=-1)


def _render(chat: Chat, *, thinks: bool, joint: str) -> str:
    system, messages = split_system(chat.messages)
    prompt, query = _system(chat, system), _last_user(messages)
    for at, message in enumerate(messages):
        match message.role:
            case "assistant":
                prompt += chatml("assistant", _answer(message, joint, is_old=at < query))
            case "tool":
                begins = at > 0 and messages[at - 1].role != "tool"
                prompt += "<|im_start|>user\n" if begins else ""
                prompt += f"<tool_response>\n{message.content}\n</tool_response>\n"
                prompt += "<|im_end|>\n" if is_last(messages, at, "tool") else ""
            case _:
                prompt += chatml(message.role, message.content)
    return prompt + "<|im_start|>assistant\n" + ("<think>\n" if thinks else "<think></think>")


def _system(chat: Chat, system: str) -> str:
    if not chat.tools:
        return chatml("system", system)
    tools = "".join(map(_declaration, chat.tools))
    before = f"{system}\n\n" if system else ""
    return chatml("system", f"{before}{HEAD}{tools}\n</tools>{CALL_INSTRUCTIONS}")


def _declaration(tool: Tool) -> str:
    properties = tool.parameters.properties or {}
    description = trim(tool.description)
    return (
        f"\n<function>\n<name>{tool.name}</name>"
        + (f"\n<description>{description}</description>" if description else "")
        + "\n<parameters>"
        + "".join(_parameter(name, each) for name, each in properties.items())
        + _extras(tool.parameters.json, ("$defs", "items", "required"))
        + "\n</parameters>\n</function>"
    )


def _parameter(name: str, given: Property) -> str:
    kinds = ", ".join(f"'{kind}'" for kind in given.types)
    kind = f"[{kinds}]" if len(given.types) > 1 else "".join(given.types)
    description = trim(given.description)
    return (
        f"\n<parameter>\n<name>{name}</name>"
        + (f"\n<type>{kind}</type>" if kind else "")
        + (f"\n<description>{description}</description>" if description else "")
        + _extras(given.json, ("enum", "anyOf", "items", "properties", "required"))
        + "\n</parameter>"
    )


def _extras(json: Mapping[str, Json], keys: Sequence[str]) -> str:
    return "".join(f"\n<{key}>{spaced_json(json[key])}</{key}>" for key in keys if key in json)


def _answer(message: Message, joint: str, *, is_old: bool) -> str:
    content = message.content
    if message.thinking:
        content = f"<think>\n{message.thinking}{joint}</think>{joint}{content}"
    elif "<think>" not in content and "</think>" not in content:
        content = f"<think></think>{content}"
    if is_old and "</think>" in content:
        content = "<think></think>" + content.rpartition("</think>")[2]
    content = trim(content)
    if not message.tool_calls:
        return content
    return f"{content}\n" + "".join(map(_call, message.tool_calls))


def _call(call: ToolCall) -> str:
    arguments = "".join(
        f"<parameter={name}>\n{_value(value)}\n</parameter>\n"
        for name, value in call.function.arguments.items()
    )
    return f"<tool_call>\n<function={call.function.name}>\n{arguments}</function>\n</tool_call>\n"


def _value(value: Json) -> str:
    match value:
        case bool() | None:
            return str(value)
        case Mapping() | list():
            return spaced_json(value)
        case _:
            return plain(value)
