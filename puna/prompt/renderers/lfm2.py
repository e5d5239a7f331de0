"""LFM2: ChatML with calls as Python writes them. Facts: prompting spec, 3.14."""

from __future__ import annotations

from functools import partial

from puna.api.requests import Message, ToolCall
from puna.prompt.renderers.chat import Chat, Renderer, split_system
from puna.prompt.renderers.text import chatml, trim, unescaped_json

__all__ = ["render", "render_thinking"]

CALLS = "<|tool_call_start|>"
RESPONSE = "<|tool_response_start|>"


def _render(chat: Chat, *, shows_thoughts: bool) -> str:
    system, messages = split_system(chat.messages)
    last = max((at for at, each in enumerate(messages) if each.role == "assistant"), default=-1)
    keeps = chat.thinks(unasked=False)
    prompt = "<|startoftext|>" + _system(chat, system)
    for at, message in enumerate(messages):
        match message.role:
            case "assistant":
                thought = message.thinking if shows_thoughts else ""
                text = _answer(message, thought, forgets=not keeps and at != last)
            case "tool":
                wrapped = message.content.startswith(RESPONSE)
                text = message.content
                text = text if wrapped else f"{RESPONSE}{text}<|tool_response_end|>"
            case _:
                text = message.content
        prompt += chatml(message.role, text)
    if messages and messages[-1].role == "assistant":
        return prompt.removesuffix("<|im_end|>\n")
    return prompt + "<|im_start|>assistant\n"


def _system(chat: Chat, system: str) -> str:
    if chat.tools:
        tools = ", ".join(unescaped_json(tool.function) for tool in chat.tools)
        system += "\n" if system else ""
        system += f"List of tools: <|tool_list_start|>[{tools}]<|tool_list_end|>"
    return chatml("system", system) if system else ""


def _answer(message: Message, thought: str, *, forgets: bool) -> str:
    content = message.content
    if thought and "</think>" not in content:
        content = f"<think>{thought}</think>{content}"
    if forgets and "</think>" in content:
        content = trim(content.rpartition("</think>")[2])
    if not message.tool_calls or CALLS in content:
        return content
    calls = f"{CALLS}[{','.join(map(_call, message.tool_calls))}]<|tool_call_end|>"
    return f"{calls}\n{content}" if trim(content) else calls + content


def _call(call: ToolCall) -> str:
    arguments = sorted(call.function.arguments.items())
    text = ",".join(f"{name}={unescaped_json(value)}" for name, value in arguments)
    return f"{call.function.name}({text})"


render: Renderer = partial(_render, shows_thoughts=False)
render_thinking: Renderer = partial(_render, shows_thoughts=True)
