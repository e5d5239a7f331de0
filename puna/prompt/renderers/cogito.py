"""Cogito: DeepSeek's tokens with calls as fenced JSON. Facts: prompting spec, 3.9."""

from __future__ import annotations

from puna.api.requests import Message, ToolCall
from puna.prompt.renderers.chat import Chat, arguments_of, is_last, split_system
from puna.prompt.renderers.text import indented_json, json_text

__all__ = ["render"]

SYSTEM = (
    "You are Cogito, an AI assistant created by Deep Cogito, which is an AI research lab based in "
    "San Francisco."
)
END = "<｜end▁of▁sentence｜>"


def render(chat: Chat) -> str:
    """The prompt of a chat."""
    thinks = chat.thinks(unasked=False)
    system, messages = split_system(chat.messages)
    prompt = "<｜begin▁of▁sentence｜>" + _system(chat, system, thinks=thinks)
    for at, message in enumerate(messages):
        match message.role:
            case "user":
                prompt += f"<｜User｜>{message.content}<｜Assistant｜>"
            case "assistant":
                prompt += _answer(message)
            case "tool":
                begins = at == 0 or messages[at - 1].role != "tool"
                prompt += "<｜tool▁outputs▁begin｜>" if begins else "\n"
                prompt += f"<｜tool▁output▁begin｜>{message.content}<｜tool▁output▁end｜>"
                prompt += "<｜tool▁outputs▁end｜>" if is_last(messages, at, "tool") else ""
    if not messages or messages[-1].role != "user":
        prompt += "<｜Assistant｜>"
    return prompt + ("<think>\n" if thinks else "")


def _system(chat: Chat, system: str, *, thinks: bool) -> str:
    text = "Enable deep thinking subroutine.\n\n" if thinks else ""
    text += SYSTEM
    if system:
        text += f"\n\n{system}" + ("\n\n" if thinks else "")
    if chat.tools:
        text += "\nYou have the following functions available:\n"
    return text + "".join(
        f"```json\n{indented_json(tool.json, '    ')}\n```\n" for tool in chat.tools
    )


def _answer(message: Message) -> str:
    if not message.tool_calls:
        return message.content + END
    calls = "\n".join(map(_call, message.tool_calls))
    return f"{message.content}<｜tool▁calls▁begin｜>{calls}<｜tool▁calls▁end｜>{END}"


def _call(call: ToolCall) -> str:
    arguments = json_text(arguments_of(call.function.arguments))
    return (
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{call.function.name}\n"
        f"```json\n{arguments}\n```<｜tool▁call▁end｜>"
    )
