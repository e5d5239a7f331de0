"""DeepSeek V3.1. Facts: prompting spec, 3.10."""

from __future__ import annotations

from collections.abc import Sequence

from puna.api.requests import Message, ToolCall
from puna.prompt.renderers.chat import Chat, arguments_of
from puna.prompt.renderers.text import json_text
from puna.prompt.renderers.tools import Tool

__all__ = ["render"]

END = "<｜end▁of▁sentence｜>"
TOOLS = "\n\n## Tools\nYou have access to the following tools:\n"
INSTRUCTIONS = """
IMPORTANT: ALWAYS adhere to this exact format for tool use:
<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>tool_call_name<｜tool▁sep｜>tool_call_arguments\
<｜tool▁call▁end｜>{{additional_tool_calls}}<｜tool▁calls▁end｜>

Where:

- `tool_call_name` must be an exact match to one of the available tools
- `tool_call_arguments` must be valid JSON that strictly follows the tool's Parameters Schema
- For multiple tool calls, chain them directly without separators or spaces
"""


def render(chat: Chat) -> str:
    """The prompt of a chat."""
    thinks = chat.thinks(unasked=False)
    messages = [message for message in chat.messages if message.role != "system"]
    query = max((at for at, each in enumerate(messages) if each.role == "user"), default=-1)
    prompt = "<｜begin▁of▁sentence｜>" + _system(chat)
    for at, message in enumerate(messages):
        match message.role:
            case "user":
                prompt += f"<｜User｜>{message.content}"
            case "assistant":
                prompt += _answer(messages, at, thinks=thinks and at > query)
            case "tool":
                prompt += f"<｜tool▁output▁begin｜>{message.content}<｜tool▁output▁end｜>"
    if messages and messages[-1].role == "user":
        prompt += "<｜Assistant｜>" + ("<think>" if thinks else "</think>")
    return prompt


def _system(chat: Chat) -> str:
    text = "\n\n".join(each.content for each in chat.messages if each.role == "system")
    if chat.tools:
        text += TOOLS + "".join(map(_declaration, chat.tools)) + INSTRUCTIONS
    return text


def _declaration(tool: Tool) -> str:
    parameters = json_text(tool.parameters.json)
    return f"\n### {tool.name}\nDescription: {tool.description}\n\nParameters: {parameters}\n"


def _answer(messages: Sequence[Message], at: int, *, thinks: bool) -> str:
    message, before = messages[at], messages[at - 1].role if at else ""
    text = ""
    if before == "user":
        opens = thinks and message.thinking and not message.tool_calls
        text = "<｜Assistant｜>" + ("<think>" if opens else "</think>")
    cuts = before != "tool" and "</think>" in message.content
    text += message.content.partition("</think>")[2] if cuts else message.content
    if message.tool_calls:
        text += (
            f"<｜tool▁calls▁begin｜>{''.join(map(_call, message.tool_calls))}<｜tool▁calls▁end｜>"
        )
    return text + END


def _call(call: ToolCall) -> str:
    arguments = json_text(arguments_of(call.function.arguments))
    return f"<｜tool▁call▁begin｜>{call.function.name}<｜tool▁sep｜>{arguments}<｜tool▁call▁end｜>"
