"""A model's text as events: thoughts told from content, and tool calls from text."""

from __future__ import annotations

from collections.abc import Iterable

from puna.api.events import CallArguments, CallBegun, Content, Logprob, Thinking, ToolCalls
from puna.prompt.outline import AnswerForm
from puna.prompt.parsers.scanner import Scanner
from puna.prompt.tagcalls import TagCallSplitter
from puna.prompt.thinking import ThinkingSplitter

__all__ = ["AnswerParser", "Piece"]

Piece = Content | Thinking | CallBegun | CallArguments | ToolCalls


class AnswerParser:
    """Feed it the text as it comes. Without splitters everything is content."""

    def __init__(
        self,
        thinking: ThinkingSplitter | None = None,
        calls: TagCallSplitter | Scanner | None = None,
        form: AnswerForm = AnswerForm(),  # noqa: B008 - it never changes
    ) -> None:
        """A scanner tells thoughts itself. `form` is how what comes is written."""
        self.form = form
        self._thinking = thinking
        self._calls = calls

    @property
    def tags(self) -> tuple[str, ...]:
        """The texts that thoughts and calls are told by: they must not be missing in what comes."""
        thinking = self._thinking.tags if self._thinking else ()
        return thinking + (self._calls.tags if self._calls else ())

    def push(self, text: str, logprobs: tuple[Logprob, ...] = ()) -> list[Piece]:
        """What is certain now."""
        if self._thinking is None:
            content = Content(text, logprobs)
            return [content] if self._calls is None else self._split([content])
        return self._split(self._thinking.push(text, logprobs))

    def flush(self) -> list[Piece]:
        """What was held when the text ended."""
        pieces = self._split(self._thinking.flush()) if self._thinking else []
        return [*pieces, *(self._calls.flush() if self._calls else ())]

    def _split(self, pieces: Iterable[Content | Thinking]) -> list[Piece]:
        out: list[Piece] = []
        for piece in pieces:
            if self._calls is not None and isinstance(piece, Content):
                out += self._calls.push(piece.text, piece.logprobs)
            else:
                out.append(piece)
        return out
