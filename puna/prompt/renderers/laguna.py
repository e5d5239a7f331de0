"""Poolside's Laguna, and its second form without line breaks. Facts: prompting spec, 3.15."""

from __future__ import annotations

from collections.abc import Sequence

from puna.api.requests import Message, ToolCall
from puna.prompt.renderers.chat import Chat
from puna.prompt.renderers.text import spaced_json, trim, trim_end
from puna.prompt.renderers.tools import Tool

__all__ = ["render_laguna", "render_poolside"]

BOS = "〈|EOS|〉"
SYSTEM = (
    "You are a helpful, conversationally-fluent assistant made by Poolside. You are here to be "
    "helpful to users through natural language conversations."
)
TOOLS = """\
### Tools

You may call functions to assist with the user query.
All available function signatures are listed below:
<available_tools>
"""
FORM = (
    "For each function call, return an unescaped XML-like object with function name and arguments "
    "within '<tool_call>' and '</tool_call>' tags, like here:\n"
)
EXAMPLE = """\
<tool_call>function-name
<arg_key>argument-key</arg_key>
<arg_value>value-of-argument-key</arg_value>
</tool_call>"""


def render_laguna(chat: Chat) -> str:
    """The prompt of a chat."""
    thinks = chat.thinks(unasked=False)
    system, messages = _split(chat.messages)
    header = f"\n{trim_end(system)}" if trim(system) else ""
    if chat.tools:
        header += f"\n\n{_tools(chat.tools)}\n\n{_instructions(thinks=thinks)}"
    prompt = BOS + (f"<system>\n{header}\n</system>\n" if header else "")
    for message in messages:
        match message.role:
            case "user" | "system":
                prompt += f"<{message.role}>\n{message.content}\n</{message.role}>\n"
            case "tool":
                prompt += f"<tool_response>\n{message.content}\n</tool_response>\n"
            case "assistant":
                prompt += _laguna_answer(message)
    last = messages[-1] if messages else None
    if last is None or last.role != "assistant":
        return prompt + "<assistant>\n" + ("<think>" if thinks else "</think>")
    is_empty = not (last.content or last.thinking or last.tool_calls)
    return prompt if is_empty else prompt.removesuffix("</assistant>\n")


def _split(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    if messages and messages[0].role == "system":
        return messages[0].content, messages[1:]
    return SYSTEM, messages


def _tools(tools: Sequence[Tool]) -> str:
    lines = "".join(f"{spaced_json(tool.json)}\n" for tool in tools)
    return f"{TOOLS}{lines}</available_tools>"


def _instructions(*, thinks: bool) -> str:
    if not thinks:
        return FORM + EXAMPLE
    wrap = "Wrap your thinking in '<think>', '</think>' tags, followed by a function call. "
    return f"{wrap}{FORM}<think> your thoughts here </think>\n{EXAMPLE}"


def _thought(message: Message) -> tuple[str, str]:
    """What was thought, and what was said; a thought may stand in the text."""
    if message.thinking or "</think>" not in message.content:
        return message.thinking, message.content
    thought, _, content = message.content.partition("</think>")
    return thought.rpartition("<think>")[2], content


def _laguna_answer(message: Message) -> str:
    thinking, content = (trim(text) for text in _thought(message))
    return (
        "<assistant>\n"
        + (f"<think>\n{thinking}\n</think>\n" if thinking else "</think>\n")
        + (f"{content}\n" if content else "")
        + "".join(_call(call, "\n") for call in message.tool_calls)
        + "</assistant>\n"
    )


def _call(call: ToolCall, gap: str) -> str:
    arguments = "".join(
        f"<arg_key>{key}</arg_key>{gap}"
        f"<arg_value>{value if isinstance(value, str) else spaced_json(value)}</arg_value>{gap}"
        for key, value in call.function.arguments.items()
    )
    return f"<tool_call>{call.function.name}{gap}{arguments}</tool_call>{gap}"


def render_poolside(chat: Chat) -> str:
    """The prompt of a chat, in the second form."""
    thinks = chat.thinks(unasked=False)
    system, messages = _split(chat.messages)
    parts = [part for part in (system, _tools(chat.tools) if chat.tools else "") if part]
    prompt = BOS
    if parts or thinks:
        header = "\n\n".join(parts)
        prompt += f"<system>{header}</system>\n"
    for message in messages:
        match message.role:
            case "user" | "system":
                prompt += f"<{message.role}>{message.content}</{message.role}>\n"
            case "tool":
                prompt += f"<tool_response>{message.content}</tool_response>\n"
            case "assistant":
                prompt += _poolside_answer(message, thinks=thinks)
    return prompt + "<assistant>" + ("<think>" if thinks else "</think>")


def _poolside_answer(message: Message, *, thinks: bool) -> str:
    thinking, content = _thought(message)
    thought = f"<think>{thinking}</think>" if thinks else "</think>"
    calls = "".join(_call(call, "") for call in message.tool_calls)
    return f"<assistant>{thought}{content}{calls}</assistant>\n"
