"""Reasoning and answer told apart in a model's text, while it comes. Facts: prompting spec, 5.

Which tags a model uses is read off its Jinja chat template; Go templates have their own rule.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from puna.api.events import Content, Logprob, Thinking

__all__ = ["SPACE", "TAGS", "Piece", "ThinkingSplitter", "starts_inside", "tags_of"]

Piece = Content | Thinking

# what Go calls white space: the reference trims with it
SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
TAGS = ("<think>", "</think>")

_SPLITS_CONTENT = re.compile(r"""\.split\(\s*(['"])</think>\1\s*\)""")
_HANDLED_ELSEWHERE = ("reasoning_content", "<SPECIAL_12>")


def tags_of(chat_template: str) -> tuple[str, str] | None:
    """The tags around the reasoning of a model with this Jinja template, None without reasoning."""
    if all(tag in chat_template for tag in TAGS):
        return TAGS
    if any(mark in chat_template for mark in _HANDLED_ELSEWHERE):
        return None
    return TAGS if _SPLITS_CONTENT.search(chat_template) else None


def starts_inside(rendered_prompt: str, open_tag: str) -> bool:
    """Whether the prompt already opens the reasoning, so that the model's text starts inside."""
    return rendered_prompt.rstrip(SPACE).endswith(open_tag)


class _State(Enum):
    LOOKING = auto()  # nothing but white space came yet
    OPENED = auto()  # white space after the opening tag is dropped
    THINKING = auto()
    CLOSED = auto()  # white space after the closing tag is dropped
    DONE = auto()


class ThinkingSplitter:
    """Feed it the text as it comes; it holds back only what may still become a tag."""

    def __init__(self, open_tag: str, close_tag: str, starts_inside: bool = False) -> None:
        self._open = open_tag
        self._close = close_tag
        self._state = _State.OPENED if starts_inside else _State.LOOKING
        self._held = ""

    @property
    def tags(self) -> tuple[str, ...]:
        """What it looks for."""
        return self._open, self._close

    def push(self, text: str, logprobs: tuple[Logprob, ...] = ()) -> list[Piece]:
        """What is certain now. `logprobs` leave with the first piece, an empty one if need be."""
        inside = self._inside
        self._held += text
        pieces: list[Piece] = []
        while self._held and self._step(pieces):
            pass
        if not logprobs:
            return pieces
        if not pieces:
            return [_piece(inside, "", logprobs)]
        first = pieces[0]
        return [_piece(isinstance(first, Thinking), first.text, logprobs), *pieces[1:]]

    def flush(self) -> list[Piece]:
        """What was held when the text ended. White space alone is dropped.

        The reference drops a part of a tag as well; it is text that the model wrote.
        """
        held, self._held = self._held, ""
        return [_piece(self._inside, held)] if held.strip(SPACE) else []

    @property
    def _inside(self) -> bool:
        return self._state in {_State.OPENED, _State.THINKING}

    def _step(self, pieces: list[Piece]) -> bool:
        """Take what can be taken in this state; whether there is more to do."""
        match self._state:
            case _State.LOOKING:
                return self._look()
            case _State.OPENED:
                return self._eat(_State.THINKING)
            case _State.THINKING:
                return self._think(pieces)
            case _State.CLOSED:
                return self._eat(_State.DONE)
            case _State.DONE:
                pieces.append(Content(self._held))
                self._held = ""
                return False

    def _look(self) -> bool:
        start = self._held.lstrip(SPACE)
        if start.startswith(self._open):
            self._held = start.removeprefix(self._open)
            self._state = _State.OPENED
            return True
        if self._open.startswith(start):
            return False
        self._state = _State.DONE
        return True

    def _eat(self, following: _State) -> bool:
        self._held = self._held.lstrip(SPACE)
        if self._held:
            self._state = following
        return bool(self._held)

    def _think(self, pieces: list[Piece]) -> bool:
        thought, tag, rest = self._held.partition(self._close)
        if tag:
            self._held = rest
            self._state = _State.CLOSED
        else:
            kept = _overlap(thought, self._close)
            self._held = thought[len(thought) - kept :]
            thought = thought[: len(thought) - kept]
        if thought:
            pieces.append(Thinking(thought))
        return bool(tag)


def _piece(inside: bool, text: str, logprobs: tuple[Logprob, ...] = ()) -> Piece:
    return Thinking(text, logprobs) if inside else Content(text, logprobs)


def _overlap(text: str, tag: str) -> int:
    """The length of the longest end of `text` that begins `tag`."""
    longest = min(len(text), len(tag) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(tag[:size])), 0)
