"""Which messages make up a prompt, and which of them must go so that it fits the context.

Facts: prompting spec, 0 and 2.1; API spec, 7.3 and 8.3.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from puna.api.events import Content
from puna.api.fields import MediaData
from puna.api.requests import Message
from puna.prompt.media import media_of
from puna.prompt.thinking import TAGS, ThinkingSplitter

__all__ = [
    "FittedPrompt",
    "assemble_chat",
    "assemble_generate",
    "drop_old_thinking",
    "fit_messages",
    "forgets_thinking",
]

_IN_TURN = 16
"""Ends of a chat that are tried in order: each costs as much as making the whole prompt."""

Render = Callable[[list[Message]], Awaitable[str]]
Count = Callable[[str, Sequence[MediaData]], Awaitable[int]]


def assemble_chat(
    model_system: str, model_messages: Sequence[Message], request_messages: Sequence[Message]
) -> list[Message]:
    """The model's system prompt, its stored messages, then the request's.

    The system prompt is left out where the request's own messages begin with one.
    """
    own = bool(request_messages) and request_messages[0].role == "system"
    return [*_system("" if own else model_system), *model_messages, *request_messages]


def assemble_generate(
    model_system: str,
    model_messages: Sequence[Message],
    prompt: str,
    *,
    system: str = "",
    images: Sequence[MediaData] = (),
    has_context: bool = False,
) -> list[Message]:
    """The messages that a generate request stands for.

    `system` is the request's and wins. With a `context`, even an empty one, the model's stored
    messages are left out.
    """
    history = () if has_context else model_messages
    user = Message(role="user", content=prompt, images=list(images))
    return [*_system(system or model_system), *history, user]


def _system(text: str) -> list[Message]:
    return [Message(role="system", content=text)] if text else []


def forgets_thinking(family: str, model: str) -> bool:
    """Whether this model is not shown its old reasoning. `model`: the name's model part alone."""
    return family == "qwen3" or model == "deepseek-r1"


def drop_old_thinking(messages: Sequence[Message]) -> list[Message]:
    """The messages with the reasoning cut from the start of answers before the last user message.

    Reasoning that was never closed is the whole of its answer and goes with it.
    """
    last = max((i for i, message in enumerate(messages) if message.role == "user"), default=0)
    return [
        replace(message, content=_answer(message.content))
        if at < last and message.role == "assistant"
        else message
        for at, message in enumerate(messages)
    ]


def _answer(text: str) -> str:
    splitter = ThinkingSplitter(*TAGS)
    pieces = splitter.push(text) + splitter.flush()
    return "".join(piece.text for piece in pieces if isinstance(piece, Content))


class FittedPrompt(NamedTuple):
    """A prompt's text, whether messages were left out of it, and the images of the others."""

    text: str
    is_cut: bool = False
    images: tuple[MediaData, ...] = ()


async def fit_messages(
    messages: Sequence[Message], render: Render, count: Count, limit: int
) -> FittedPrompt:
    """The prompt of the longest end of the chat that takes at most `limit` tokens.

    Messages go one by one from the front; system messages move to the front and stay, and so does
    the last message, which is rendered even where it does not fit. `count` gives a prompt's tokens,
    and those of its images. A shorter chat can have the longer prompt, so the first ends are tried
    in order; of a chat with many more messages than fit, an end is then looked for by halves.
    """

    async def made(start: int) -> FittedPrompt:
        kept = _from(messages, start)
        return FittedPrompt(await render(kept), len(kept) < len(messages), tuple(media_of(kept)))

    async def fits(prompt: FittedPrompt) -> bool:
        return await count(prompt.text, prompt.images) <= limit

    last = len(messages) - 1
    whole = await made(0)
    if last < 1 or await fits(whole):
        return whole
    # behind a system message nothing has moved: that is the end just tried
    starts = [0, *(at for at in range(1, last) if messages[at - 1].role != "system")]
    found = await made(last) if len(starts) > _IN_TURN else None
    if found is not None and not await fits(found):
        return found
    too_long, fitting, step = 0, len(starts), 1  # places in `starts`; behind them is the last
    while too_long + 1 < fitting:
        if fitting < len(starts):
            place = (too_long + fitting) // 2
        else:
            step = 1 if too_long < _IN_TURN else 2 * step
            place = min(too_long + step, fitting - 1)
        prompt = await made(starts[place])
        if await fits(prompt):
            fitting, found = place, prompt
        else:
            too_long = place
    return found or await made(last)


def _from(messages: Sequence[Message], start: int) -> list[Message]:
    kept = [message for message in messages[:start] if message.role == "system"]
    return [*kept, *messages[start:]]
