"""Qwen3-VL: ChatML with calls as JSON, thoughts on request. Facts: prompting spec, 3.7."""

from __future__ import annotations

from collections.abc import Sequence

from puna.api.requests import Message, ToolCall
from puna.prompt.renderers.chat import Chat, arguments_of, last_query, split_system
from puna.prompt.renderers.text import chatml, json_text, spaced_json, tool_run

__all__ = ["render_instruct", "render_thinking"]

HEAD = """\
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>"""
TAIL = """\

</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>"""


def render_instruct(chat: Chat) -> str:
    """The prompt of a chat; without a wish it does not think."""
    return _render(chat, chat.thinks(unasked=False))


def render_thinking(chat: Chat) -> str:
    """The prompt of a chat; without a wish it thinks."""
    return _render(chat, chat.thinks(unasked=True))


def _render(chat: Chat, thinks: bool) -> str:
    messages, prompt = chat.messages, ""
    if chat.tools:
        system, messages = split_system(messages)
        tools = "".join(f"\n{spaced_json(tool.json)}" for tool in chat.tools)
        prompt = chatml("system", (f"{system}\n\n" if system else "") + HEAD + tools + TAIL)
    query = last_query(messages)
    for at, message in enumerate(messages):
        if message.role == "tool":
            prompt += tool_run(messages, at)
        elif message.role == "assistant":
            prompt += chatml("assistant", _answer(messages, at, shows=thinks and at > query))
        else:
            prompt += chatml(message.role, message.content)
    if messages and messages[-1].role == "assistant":
        return prompt.removesuffix("<|im_end|>\n")
    return prompt + "<|im_start|>assistant\n" + ("<think>\n" if thinks else "")


def _answer(messages: Sequence[Message], at: int, *, shows: bool) -> str:
    message = messages[at]
    content = text = message.content
    if shows and (at + 1 == len(messages) or message.thinking):
        text = "<think>\n" + message.thinking.strip("\n")
        if content:
            text += "\n</think>\n\n" + content.lstrip("\n")
    for place, call in enumerate(message.tool_calls):
        text += ("\n" if content or place else "") + _call(call)
    return text


def _call(call: ToolCall) -> str:
    arguments = spaced_json(arguments_of(call.function.arguments))
    name = json_text(call.function.name)
    return f'<tool_call>\n{{"name": {name}, "arguments": {arguments}}}\n</tool_call>'
