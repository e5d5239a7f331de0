"""Qwen3.5, Ornith and Qwen3.8: thoughts first, calls as XML. Facts: prompting spec, 3.8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from puna.api.requests import Message, ToolCall
from puna.errors import TemplateError
from puna.prompt.renderers.chat import Chat, Renderer, last_query, split_system
from puna.prompt.renderers.text import (
    CALL_INSTRUCTIONS,
    chatml,
    plain,
    spaced_json,
    tool_run,
    trim,
)

__all__ = ["render_ornith", "render_qwen35", "render_qwen38"]

HEAD = "# Tools\n\nYou have access to the following functions:\n\n<tools>"
XHIGH = (
    "Reasoning effort is set to xhigh. Please think carefully through the task, validate key "
    "assumptions, consider plausible alternatives, and prioritize correctness, consistency, and "
    "clarity in the final answer."
)
LOW = (
    "Reasoning effort is set to low. Keep your thinking brief and focused, moving directly to the "
    "conclusion without unnecessary elaboration."
)
EFFORTS: dict[bool | str | None, str] = {
    None: XHIGH,
    "high": XHIGH,
    "max": XHIGH,
    "low": LOW,
    "medium": "",
    True: "",
    False: "",
}


@dataclass(frozen=True, slots=True)
class _Style:
    always_shows: bool = False
    """A thought, be it empty, stands before every answer."""
    looks_inside: bool = True
    """Thoughts may stand in an answer's text."""


def _render(chat: Chat, style: _Style, effort: str = "") -> str:
    thinks = chat.thinks(unasked=True)
    system, messages = split_system(chat.messages)
    prompt = _system(chat, effort, trim(system), is_given=messages is not chat.messages)
    messages = [replace(message, content=trim(message.content)) for message in messages]
    query = last_query(messages)
    for at, message in enumerate(messages):
        match message.role:
            case "tool":
                prompt += tool_run(messages, at)
            case "assistant":
                shows = style.always_shows or (thinks and at > query)
                prompt += chatml("assistant", _answer(message, style, shows=shows))
            case "user" | "system":
                prompt += chatml(message.role, message.content)
            case _ if not style.looks_inside:
                prompt += chatml(message.role, message.content)
    if messages and messages[-1].role == "assistant":
        return prompt.removesuffix("<|im_end|>\n")
    thought = "<think>\n" if thinks else "<think>\n\n</think>\n\n"
    return f"{prompt}<|im_start|>assistant\n{thought}"


def _system(chat: Chat, effort: str, system: str, *, is_given: bool) -> str:
    parts = [effort] if effort else []
    if chat.tools:
        tools = "".join(f"\n{spaced_json(tool.json)}" for tool in chat.tools)
        text = f"{HEAD}{tools}\n</tools>{CALL_INSTRUCTIONS}"
        parts.append(f"{text}\n\n{system}" if system else text)
    elif is_given:
        parts.append(system)
    return chatml("system", "\n\n".join(parts)) if parts else ""


def _answer(message: Message, style: _Style, *, shows: bool) -> str:
    thinking, content = trim(message.thinking), message.content
    if style.looks_inside and not thinking and "</think>" in content:
        thought, _, rest = content.partition("</think>")
        thinking = trim(thought.rpartition("<think>")[2])
        content = rest.lstrip("\n")
    text = f"<think>\n{thinking}\n</think>\n\n{content}" if shows else content
    between = "\n\n" if content else ""
    for call in message.tool_calls:
        text += between + _call(call)
        between = "\n"
    return text


def _call(call: ToolCall) -> str:
    arguments = "".join(
        f"<parameter={name}>\n{plain(value)}\n</parameter>\n"
        for name, value in call.function.arguments.items()
    )
    return f"<tool_call>\n<function={call.function.name}>\n{arguments}</function>\n</tool_call>"


render_qwen35: Renderer = partial(_render, style=_Style())
render_ornith: Renderer = partial(_render, style=_Style(always_shows=True))


def render_qwen38(chat: Chat) -> str:
    """The prompt of a chat. Raises TemplateError for chats that the model was not made for."""
    if chat.think not in EFFORTS:
        raise TemplateError(f'unsupported Qwen3.8 reasoning effort "{chat.think}"')
    _check(chat.messages)
    folded = Chat(_fold_system(chat.messages), chat.tools, chat.think)
    return _render(folded, _Style(always_shows=True, looks_inside=False), EFFORTS[chat.think])


def _check(messages: Sequence[Message]) -> None:
    if not messages:
        raise TemplateError("no messages provided")
    if last_query([replace(each, content=trim(each.content)) for each in messages]) < 0:
        raise TemplateError("no user query found in messages")
    for message in messages:
        if message.images and message.role not in ("user", "tool"):
            raise TemplateError(f"{message.role} message cannot contain images")


def _fold_system(messages: Sequence[Message]) -> Sequence[Message]:
    """The system and developer messages as one that comes first."""
    texts = [trim(each.content) for each in messages if each.role in ("system", "developer")]
    if not texts:
        return messages
    others = [each for each in messages if each.role not in ("system", "developer")]
    return [Message(role="system", content="\n\n".join(filter(None, texts))), *others]
