"""OLMo 3, with functions or with thoughts. Facts: prompting spec, 3.19."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from puna.api.requests import Message, ToolCall
from puna.prompt.renderers.chat import Chat, Renderer
from puna.prompt.renderers.text import chatml, json_text, spaced_json

__all__ = ["render_olmo3", "render_olmo31", "render_think", "render_think32"]

OLMO3 = "You are a helpful function-calling AI assistant. "
OLMO31 = (
    "You are Olmo, a helpful AI assistant built by Ai2. Your date cutoff is December 2024, and "
    "your model weights are available at https://huggingface.co/allenai. "
)
THINK32 = "You are a helpful AI assistant."
NO_FUNCTIONS = "You do not currently have access to any functions. "
FUNCTIONS = (
    "You are provided with function signatures within <functions></functions> XML tags. You may "
    "call one or more functions to assist with the user query. Output any function calls within "
    "<function_calls></function_calls> XML tags. Do not make assumptions about what values to plug "
    "into functions."
)


def _render(chat: Chat, *, default: str) -> str:
    prompt = _system(chat, default)
    messages = _without_system(chat.messages)
    for message in messages:
        role = "environment" if message.role == "tool" else message.role
        prompt += chatml(role, message.content + _calls(message.tool_calls))
    last = messages[-1] if messages else None
    if last and last.role == "assistant" and last.content and not last.tool_calls:
        return prompt.removesuffix("<|im_end|>\n")
    return prompt + "<|im_start|>assistant\n"


def _system(chat: Chat, default: str) -> str:
    functions = spaced_json([tool.json for tool in chat.tools]) if chat.tools else ""
    given = next((each for each in chat.messages if each.role == "system"), None)
    if given is None:
        text = default + (FUNCTIONS if chat.tools else NO_FUNCTIONS)
        return chatml("system", f"{text}<functions>{functions}</functions>")
    text = given.content
    return chatml("system", f"{text}<functions>{functions}</functions>" if functions else text)


def _without_system(messages: Sequence[Message]) -> list[Message]:
    return [message for message in messages if message.role != "system"]


def _calls(calls: Sequence[ToolCall]) -> str:
    lines = "\n".join(map(_call, calls))
    return f"<function_calls>{lines}</function_calls>" if calls else ""


def _call(call: ToolCall) -> str:
    arguments = sorted(call.function.arguments.items())
    text = ", ".join(f"{name}={json_text(value)}" for name, value in arguments)
    return f"{call.function.name}({text})"


def _render_think(chat: Chat, *, default: str) -> str:
    given = next((each for each in chat.messages if each.role == "system"), None)
    suffix = f" {NO_FUNCTIONS}<functions></functions>"
    prompt = chatml("system", f"{given.content}{suffix}" if given else default)
    for message in _without_system(chat.messages):
        if message.role != "tool":
            prompt += chatml(message.role, message.content)
    return prompt + "<|im_start|>assistant\n<think>"


render_olmo3: Renderer = partial(_render, default=OLMO3)
render_olmo31: Renderer = partial(_render, default=OLMO31)
render_think: Renderer = partial(_render_think, default=OLMO31.rstrip(" "))
render_think32: Renderer = partial(_render_think, default=THINK32)
