"""Gemma 4: a notation with a quote token of its own. Facts: prompting spec, 3.12."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

from puna.api.requests import Message, ToolCall
from puna.prompt.renderers.chat import Chat, Renderer
from puna.prompt.renderers.gemma4_tools import declaration, quote, value_text
from puna.prompt.renderers.text import trim

__all__ = ["is_large", "render_large", "render_small"]

NO_THOUGHT = "<|channel>thought\n<channel|>"
_CHANNEL = re.compile(r"<\|channel>.*?<channel\|>", re.DOTALL)
_ROLES: Mapping[str, str] = {"assistant": "model"}


def _render(chat: Chat, *, unthought: str) -> str:
    """The prompt of a chat; `unthought` opens an answer without thinking."""
    thinks = chat.thinks(unasked=False)
    messages = chat.messages
    leads = bool(messages) and messages[0].role in ("system", "developer")
    prompt = "<bos>"
    if leads or chat.tools or thinks:
        prompt += _system(chat, messages[0].content if leads else "", thinks=thinks)
    messages = messages[1:] if leads else messages
    query = max((at for at, each in enumerate(messages) if each.role == "user"), default=-1)
    for at, message in enumerate(messages):
        if message.role == "assistant":
            prompt += _answer(messages, at, shows=at > query)
        elif message.role != "tool":
            role = _ROLES.get(message.role, message.role)
            prompt += f"<|turn>{role}\n{trim(message.content)}<turn|>\n"
    return prompt + _opening(messages, thinks=thinks, unthought=unthought)


def _system(chat: Chat, system: str, *, thinks: bool) -> str:
    think = "<|think|>\n" if thinks else ""
    tools = "".join(map(declaration, chat.tools))
    return f"<|turn>system\n{think}{trim(system)}{tools}<turn|>\n"


def _opening(messages: Sequence[Message], *, thinks: bool, unthought: str) -> str:
    """What lets the model speak: nothing where its turn is open since its calls."""
    spoken = [at for at, message in enumerate(messages) if message.role != "tool"]
    if spoken and messages[spoken[-1]].role == "assistant" and messages[spoken[-1]].tool_calls:
        answered = spoken[-1] + 1 < len(messages)
        return "<|channel>thought\n" if answered and thinks else ""
    return "<|turn>model\n" + ("" if thinks else unthought)


def _answer(messages: Sequence[Message], at: int, *, shows: bool) -> str:
    message = messages[at]
    results = _results_after(messages, at)
    content = trim(_CHANNEL.sub("", message.content))
    text = "" if _goes_on(messages, at) else "<|turn>model\n"
    if message.thinking and shows:
        text += f"<|channel>thought\n{message.thinking}\n<channel|>"
    text += "".join(map(_call, message.tool_calls))
    if message.tool_calls:
        text += "".join(_response(message.tool_calls, result) for result in results)
    text += content
    if message.tool_calls and not results:
        return text + "<|tool_response>"
    waits = message.tool_calls and not content and not _is_followed(messages, at)
    return text if waits else f"{text}<turn|>\n"


def _results_after(messages: Sequence[Message], at: int) -> Sequence[Message]:
    end = at + 1
    while end < len(messages) and messages[end].role == "tool":
        end += 1
    return messages[at + 1 : end]


def _goes_on(messages: Sequence[Message], at: int) -> bool:
    """Whether the message before, results of tools aside, is the model's too."""
    before = [message.role for message in messages[:at] if message.role != "tool"]
    return bool(before) and before[-1] == "assistant"


def _is_followed(messages: Sequence[Message], at: int) -> bool:
    """Whether somebody else speaks next, results of tools aside."""
    after = (message.role for message in messages[at + 1 :] if message.role != "tool")
    return next(after, "assistant") != "assistant"


def _call(call: ToolCall) -> str:
    return f"<|tool_call>call:{call.function.name}{value_text(call.function.arguments)}<tool_call|>"


def _response(calls: Sequence[ToolCall], result: Message) -> str:
    named = (call.function.name for call in calls if call.id and call.id == result.tool_call_id)
    name = next(named, result.tool_name or "unknown")
    return f"<|tool_response>response:{name}{{value:{quote(result.content)}}}<tool_response|>"


def is_large(model: str, parameters: int) -> bool:
    """Whether a model is one of the large ones: its name tells, else its size."""
    name = model.lower()
    if any(size in name for size in ("e2b", "e4b")):
        return False
    return any(size in name for size in ("12b", "26b", "31b")) or parameters >= 12_000_000_000


render_small: Renderer = partial(_render, unthought="")
render_large: Renderer = partial(_render, unthought=NO_THOUGHT)
