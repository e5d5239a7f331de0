"""GLM-4.7 and GLM-OCR: calls as pairs of keys and values. Facts: prompting spec, 3.13."""

from __future__ import annotations

from collections.abc import Sequence

from puna.api.requests import Message, ToolCall
from puna.prompt.renderers.chat import Chat
from puna.prompt.renderers.text import json_text, spaced_json, trim
from puna.prompt.renderers.tools import Tool

__all__ = ["render_glm47", "render_ocr"]

HEAD = """\
<|system|>
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
"""
TAIL = """\
</tools>

For each function call, output the function name and arguments within the following XML format:
<tool_call>{function-name}<arg_key>{arg-key-1}</arg_key><arg_value>{arg-value-1}</arg_value>\
<arg_key>{arg-key-2}</arg_key><arg_value>{arg-value-2}</arg_value>...</tool_call>"""


def render_glm47(chat: Chat) -> str:
    """The prompt of a chat."""
    prompt = "[gMASK]<sop>" + _tools(chat.tools)
    for at, message in enumerate(chat.messages):
        match message.role:
            case "user" | "system":
                prompt += f"<|{message.role}|>{message.content}"
            case "assistant":
                thought = f"<think>{message.thinking}</think>" if message.thinking else "</think>"
                calls = "".join(map(_call, message.tool_calls))
                prompt += f"<|assistant|>{thought}{message.content}{calls}"
            case "tool":
                prompt += "" if _continues(chat, at) else "<|observation|>"
                prompt += f"<tool_response>{message.content}</tool_response>"
    thinks = chat.thinks(unasked=True)
    return f"{prompt}<|assistant|>{'<think>' if thinks else '</think>'}"


def render_ocr(chat: Chat) -> str:
    """The prompt of a chat."""
    prompt = "[gMASK]<sop>" + _tools(chat.tools)
    for at, message in enumerate(chat.messages):
        match message.role:
            case "user":
                prompt += f"<|user|>\n{_asked(message.content, chat.think)}"
            case "system":
                prompt += f"<|system|>\n{message.content}\n"
            case "assistant":
                prompt += _ocr_answer(message)
            case "tool":
                prompt += "" if _continues(chat, at) else "<|observation|>"
                prompt += f"\n<tool_response>\n{message.content}\n</tool_response>\n"
    return f"{prompt}<|assistant|>\n" + ("<think></think>\n" if chat.think is False else "")


def _asked(text: str, think: bool | str | None) -> str:
    return f"{text}/nothink" if think is False and not text.endswith("/nothink") else text


def _ocr_answer(message: Message) -> str:
    content = trim(message.content)
    return (
        f"<|assistant|>\n<think>{trim(message.thinking)}</think>"
        + (f"\n{content}" if content else "")
        + "".join(f"\n{_call(call)}" for call in message.tool_calls)
        + "\n"
    )


def _tools(tools: Sequence[Tool]) -> str:
    declarations = "".join(f"{spaced_json(tool.json)}\n" for tool in tools)
    return HEAD + declarations + TAIL if tools else ""


def _continues(chat: Chat, at: int) -> bool:
    return at > 0 and chat.messages[at - 1].role == "tool"


def _call(call: ToolCall) -> str:
    arguments = "".join(
        f"<arg_key>{key}</arg_key>"
        f"<arg_value>{value if isinstance(value, str) else json_text(value)}</arg_value>"
        for key, value in call.function.arguments.items()
    )
    return f"<tool_call>{call.function.name}{arguments}</tool_call>"
