"""Qwen3-Coder: ChatML with tools and calls as XML. Facts: prompting spec, 3.5."""

from __future__ import annotations

from collections.abc import Mapping

from puna.api.requests import Message, ToolCall
from puna.gojson import Json
from puna.prompt.renderers.chat import Chat
from puna.prompt.renderers.text import CALL_INSTRUCTIONS, chatml, json_text, plain, tool_run
from puna.prompt.renderers.tools import Property, Tool

__all__ = ["render"]

SYSTEM = "You are Qwen, a helpful AI assistant that can interact with a computer to solve tasks."
HEAD = "\n\n# Tools\n\nYou have access to the following functions:\n\n<tools>"


def render(chat: Chat) -> str:
    """The prompt of a chat."""
    messages = [message for message in chat.messages if message.role != "system"]
    prompt = _system(chat) + "".join(
        tool_run(messages, at) if message.role == "tool" else _turn(message)
        for at, message in enumerate(messages)
    )
    last = messages[-1] if messages else None
    if last is None or last.role != "assistant":
        return prompt + "<|im_start|>assistant\n"
    return prompt if last.tool_calls else prompt.removesuffix("<|im_end|>\n")


def _system(chat: Chat) -> str:
    texts = [message.content for message in chat.messages if message.role == "system"]
    text = next(filter(None, texts), "")
    if not chat.tools:
        return chatml("system", text) if text else ""
    tools = "".join(map(_declaration, chat.tools))
    return chatml("system", f"{text or SYSTEM}{HEAD}{tools}\n</tools>{CALL_INSTRUCTIONS}")


def _declaration(tool: Tool) -> str:
    properties = tool.parameters.properties or {}
    return (
        f"\n<function>\n<name>{tool.name}</name>"
        + (f"\n<description>{tool.description}</description>" if tool.description else "")
        + "\n<parameters>"
        + "".join(_parameter(name, each) for name, each in properties.items())
        + _extras(tool.parameters.extras())
        + "\n</parameters>\n</function>"
    )


def _parameter(name: str, given: Property) -> str:
    kind = given.type_json
    text = f"\n<parameter>\n<name>{name}</name>"
    if kind:
        text += f"\n<type>{kind if isinstance(kind, str) else json_text(kind)}</type>"
    if given.description:
        text += f"\n<description>{given.description}</description>"
    return text + _extras(given.extras()) + "\n</parameter>"


def _extras(extras: Mapping[str, Json]) -> str:
    return "".join(f"\n<{key}>{plain(value)}</{key}>" for key, value in extras.items())


def _turn(message: Message) -> str:
    if not message.tool_calls:
        return chatml(message.role, message.content)
    text = f"{message.content}\n" if message.content else ""
    return chatml(message.role, text + "".join(map(_call, message.tool_calls)))


def _call(call: ToolCall) -> str:
    arguments = "".join(
        f"\n<parameter={name}>\n{plain(value)}\n</parameter>"
        for name, value in call.function.arguments.items()
    )
    return f"\n<tool_call>\n<function={call.function.name}>{arguments}\n</function>\n</tool_call>"
