"""What a renderer is given: the messages, the tools and whether to think."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from puna.api.requests import Message
from puna.gojson import Fields
from puna.prompt.renderers.tools import Tool

__all__ = ["Chat", "Renderer", "arguments_of", "is_last", "last_query", "split_system"]


@dataclass(frozen=True, slots=True)
class Chat:
    """One chat to make a prompt of. `think`: None leaves the choice to the family."""

    messages: Sequence[Message]
    tools: Sequence[Tool] = ()
    think: bool | str | None = None

    def thinks(self, *, unasked: bool) -> bool:
        """Whether to think; a level of effort counts as yes."""
        return unasked if self.think is None else bool(self.think)


Renderer: TypeAlias = Callable[[Chat], str]


def split_system(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    """The text of the system message that comes first, if one does, and the others."""
    if messages and messages[0].role == "system":
        return messages[0].content, messages[1:]
    return "", messages


def last_query(messages: Sequence[Message]) -> int:
    """The place of the last user message that is no wrapped result of a tool, -1 without one."""
    for at in range(len(messages) - 1, -1, -1):
        text = messages[at].content
        is_result = text.startswith("<tool_response>") and text.endswith("</tool_response>")
        if messages[at].role == "user" and not is_result:
            return at
    return -1


def is_last(messages: Sequence[Message], at: int, role: str) -> bool:
    """Whether the message at `at` is the last one of a run of its role."""
    return at + 1 == len(messages) or messages[at + 1].role != role


def arguments_of(arguments: dict[str, object]) -> Fields:
    """Arguments as JSON fields in the order in which the model wrote them."""
    return Fields(arguments)  # type: ignore[arg-type]  # they came in as JSON
