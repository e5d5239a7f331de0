"""Tool calls in an answer's text, for models that write them as JSON between tags.

The form is the one that Hermes and Qwen brought into chat templates: a call opens with
`<tool_call>`, holds an object with `name` and `arguments`, and closes with `</tool_call>`. Other
forms are read elsewhere once they are: `writes_calls` says which templates this one fits.
"""

from __future__ import annotations

import json
from typing import Any

from puna.api.events import Content, Logprob, ToolCalls
from puna.api.requests import FunctionCall, ToolCall

__all__ = ["ToolCallSplitter", "writes_calls"]

OPEN, CLOSE = "<tool_call>", "</tool_call>"
SPACE = " \t\r\n"

Piece = Content | ToolCalls


def writes_calls(chat_template: str) -> bool:
    """Whether a Jinja template asks for calls as JSON between `<tool_call>` tags."""
    return (
        OPEN in chat_template
        and CLOSE in chat_template
        and "tools" in chat_template
        and "arguments" in chat_template
        and "<function=" not in chat_template  # the same tags around XML, another form
        and "<arg_key>" not in chat_template
    )


class ToolCallSplitter:
    """Feed it the content as it comes; it holds back what is, or may become, a call.

    Text between tags that is no call comes out as it was. White space around calls is dropped.
    """

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self._spaces = ""  # white space that is content only if no call follows
        self._trims = False  # right after a call
        self._count = 0

    @property
    def tags(self) -> tuple[str, ...]:
        """What it looks for."""
        return OPEN, CLOSE

    def push(self, text: str, logprobs: tuple[Logprob, ...] = ()) -> list[Piece]:
        """What is certain now. `logprobs` leave with the first content, an empty one if need be."""
        self._held += text
        pieces: list[Piece] = []
        while self._held and self._step(pieces):
            pass
        if not logprobs:
            return pieces
        first = pieces[0] if pieces else None
        if isinstance(first, Content):
            return [Content(first.text, logprobs), *pieces[1:]]
        return [Content("", logprobs), *pieces]

    def flush(self) -> list[Piece]:
        """What was held when the text ended. A whole call needs no closing tag."""
        held, self._held = self._held, ""
        pieces: list[Piece] = []
        if self._inside:
            self._inside = False
            call = self._read(held)
            pieces.append(ToolCalls((call,)) if call else Content(self._spaced(OPEN + held)))
        elif held or self._spaces:
            pieces.append(Content(self._spaced(held)))
        return pieces

    def _step(self, pieces: list[Piece]) -> bool:
        return self._within(pieces) if self._inside else self._outside(pieces)

    def _outside(self, pieces: list[Piece]) -> bool:
        text, tag, rest = self._held.partition(OPEN)
        if tag:
            self._held = rest
            self._inside = True
        else:
            kept = _overlap(text)
            self._held = text[len(text) - kept :]
            text = text[: len(text) - kept]
        if self._trims:
            text = text.lstrip(SPACE)
        bare = text.rstrip(SPACE)
        if bare:
            pieces.append(Content(self._spaced(bare)))
        self._spaces += text[len(bare) :]
        return bool(tag)

    def _within(self, pieces: list[Piece]) -> bool:
        body, tag, rest = self._held.partition(CLOSE)
        if not tag:
            return False
        self._held = rest
        self._inside = False
        call = self._read(body)
        if call is None:
            pieces.append(Content(self._spaced(OPEN + body + CLOSE)))
        else:
            self._spaces = ""
            self._trims = True
            pieces.append(ToolCalls((call,)))
        return True

    def _spaced(self, text: str) -> str:
        """The text after the white space that waited for it."""
        spaces, self._spaces = self._spaces, ""
        self._trims = False
        return spaces + text

    def _read(self, body: str) -> ToolCall | None:
        """The call that `body` spells, None when it spells none."""
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            return None
        arguments = _arguments(value.get("arguments", value.get("parameters", {})))
        if not value["name"] or arguments is None:
            return None
        call = FunctionCall(index=self._count, name=value["name"], arguments=arguments)
        self._count += 1
        return ToolCall(function=call)


def _arguments(value: Any) -> dict[str, Any] | None:
    """Arguments as an object; some models write the object as a string."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return {} if value is None else value if isinstance(value, dict) else None


def _overlap(text: str) -> int:
    longest = min(len(text), len(OPEN) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(OPEN[:size])), 0)
