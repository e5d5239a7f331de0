"""Cohere's Command models with numbered calls. Facts: prompting spec, 3.16."""

from __future__ import annotations

from collections.abc import Sequence

from puna.api.requests import Message, ToolCall
from puna.gojson import Fields
from puna.prompt.renderers.chat import Chat, arguments_of, is_last, split_system
from puna.prompt.renderers.text import json_text, spaced_json
from puna.prompt.renderers.tools import Tool

__all__ = ["render"]

START, END = "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>"
SYSTEM, USER, BOT = "<|SYSTEM_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"
DEEP = " " * 12
NO_TOOLS = "\n\n"


def render(chat: Chat) -> str:
    """The prompt of a chat."""
    thinks = chat.thinks(unasked=True)
    system, messages = split_system(chat.messages)
    numbers = _number(messages)
    prompt = _turn(SYSTEM, (f"{system}\n\n\n\n" if system else "") + _tools(chat.tools))
    count = 0
    for at, message in enumerate(messages):
        match message.role:
            case "user":
                prompt += _turn(USER, message.content)
            case "system":
                prompt += _turn(SYSTEM, message.content)
            case "assistant" if message.tool_calls:
                prompt += _calls(message, count)
                count += len(message.tool_calls)
            case "assistant":
                prompt += START + BOT + _thought(message) + _text(message.content) + END
            case "tool":
                prompt += _result(messages, at, numbers)
    last = messages[-1] if messages else None
    if last and last.role == "assistant" and not last.tool_calls:
        return prompt.removesuffix(f"<|END_TEXT|>{END}")
    thought = "<|START_THINKING|>" + ("" if thinks else "<|END_THINKING|>")
    return prompt + START + BOT + thought


def _number(messages: Sequence[Message]) -> dict[str, str]:
    """The number of each call in the conversation, by its id."""
    ids = [call.id for message in messages for call in message.tool_calls]
    return {name: str(number) for number, name in enumerate(ids) if name}


def _turn(role: str, text: str) -> str:
    return START + role + _text(text) + END


def _text(text: str) -> str:
    return f"<|START_TEXT|>{text}<|END_TEXT|>"


def _thought(message: Message) -> str:
    if not message.thinking:
        return ""
    return f"<|START_THINKING|>{message.thinking}<|END_THINKING|>"


def _tools(tools: Sequence[Tool]) -> str:
    entries = [f"\n    {_entry(tool)}" for tool in tools]
    listed = "".join(f"{entry},\n\n" for entry in entries[:-1])
    listed += "".join(f"{entry}\n\n" for entry in entries[-1:])
    return f"# Available Tools\n```json\n[\n{listed or NO_TOOLS}\n]\n```"


def _entry(tool: Tool) -> str:
    return spaced_json(
        Fields(
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters.json,
                "responses": None,
            }
        )
    )


def _calls(message: Message, first: int) -> str:
    calls = ",".join(
        f"\n\n    {_call(call, str(first + place))}"
        for place, call in enumerate(message.tool_calls)
    )
    frame = f"\n{DEEP}\n{DEEP}    "
    return f"{START}{BOT}{frame}{_thought(message)}<|START_ACTION|>[{calls}\n\n]<|END_ACTION|>{END}"


def _call(call: ToolCall, number: str) -> str:
    return spaced_json(
        Fields(
            {
                "tool_call_id": number,
                "tool_name": call.function.name,
                "parameters": arguments_of(call.function.arguments),
            }
        )
    )


def _result(messages: Sequence[Message], at: int, numbers: dict[str, str]) -> str:
    message = messages[at]
    begins = at == 0 or messages[at - 1].role != "tool"
    number = json_text(numbers.get(message.tool_call_id, message.tool_call_id))
    content = json_text(message.content)
    text = f"{START}{SYSTEM}<|START_TOOL_RESULT|>[" if begins else ","
    text += (
        f'\n    {{\n        "tool_call_id": {number},\n        "results": {{\n\n'
        f'{DEEP}\n{DEEP}"0": {{"content": {content}}}\n\n        }},\n'
        f'        "is_error": null\n    }}'
    )
    return text + (f"\n\n]<|END_TOOL_RESULT|>{END}" if is_last(messages, at, "tool") else "")
