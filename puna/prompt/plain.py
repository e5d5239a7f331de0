"""What the reference's default template `{{ .Prompt }}` makes of a chat.

It serves models that bring no template. Facts: prompting spec, 1.3 and 1.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from puna.api.requests import Message

__all__ = ["render_plain"]


def render_plain(messages: Sequence[Message]) -> str:
    """The texts of users and assistants in turn, with nothing between turns.

    The default template prints neither system nor tool messages, and a user's text that is
    followed by another's before any answer (a tool's result between them) is lost.
    """
    printed: list[str] = []
    prompt = response = ""
    for role, content in _collated(messages):
        if (role == "system" and (prompt or response)) or (role == "user" and response):
            printed += (prompt, response)
            prompt = response = ""
        if role == "user":
            prompt = content
        elif role == "assistant":
            response = content
    return "".join((*printed, prompt, response))


def _collated(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """Role and content, neighbours of one role in one; each tool result stays its own."""
    turns: list[tuple[str, str]] = []
    for message in messages:
        role, content = message.role, message.content
        if turns and turns[-1][0] == role != "tool":
            turns[-1] = (role, f"{turns[-1][1]}\n\n{content}")
        else:
            turns.append((role, content))
    return turns
