"""A limit to how long a model thinks: then its thoughts are closed for it, and it answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Self

from msgspec.structs import replace

from puna.gaps import added, gap_place, no_gaps
from puna.prompt.parsers.family import Lead
from puna.runner.protocol import Engine, Finished, Generation, Piece, TokenEvent, TokenEvents

__all__ = ["Budget", "generate"]

Budget = tuple[Lead, int]
"""How the thoughts of an answer are written, and how many tokens they may take."""


def generate(
    engine: Engine, order: Generation, budget: Budget | None
) -> AbstractAsyncContextManager[TokenEvents]:
    """The tokens of an answer, which end with Finished; leaving the block ends the work.

    An answer whose thoughts take more tokens than their budget goes on behind them: what closes
    them counts as said. Answers that are held to a form, and those about images, have no budget.
    """
    is_free = not (order.outline or order.format or order.grammar or order.regex or order.images)
    if budget is None or not is_free or 0 <= order.max_tokens <= budget[1]:
        return engine.generate(order)
    return aclosing(_Within(engine, order, *budget))


class _Within:
    """The tokens of an answer whose thoughts have a limit."""

    def __init__(self, engine: Engine, order: Generation, lead: Lead, most: int) -> None:
        self._current: TokenEvents | None = None
        self._is_enough = False
        self._events = self._said(engine, order, lead, most)

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, TokenEvent]:
        return self._events.__anext__()

    def finish(self) -> None:
        """See protocol.TokenEvents."""
        self._is_enough = True
        if self._current is not None:
            self._current.finish()

    async def aclose(self) -> None:
        """End the work."""
        await self._events.aclose()

    async def _said(
        self, engine: Engine, order: Generation, lead: Lead, most: int
    ) -> AsyncGenerator[TokenEvent, None]:
        said, first = "", None
        start = replace(order, max_tokens=most, want_tokens=True)
        async with engine.generate(start) as self._current:
            async for token in self._current:
                if isinstance(token, Finished):
                    first = token
                else:
                    said += token.text
                    yield token
        if first is None or first.tokens is None:
            return  # the engine ended early, which is told where an answer lacks its end
        if self._is_enough:
            first = replace(first, reason="stop")
        if first.reason != "length":
            yield first if order.want_tokens else replace(first, tokens=None)
            return
        closing = lead.closing + lead.after if _thinks(said, lead) else ""
        if closing:
            yield Piece(closing)
        left = order.max_tokens - first.eval_tokens if order.max_tokens > 0 else order.max_tokens
        rest = replace(order, prefix=first.tokens, prompt=closing, max_tokens=left)
        async with engine.generate(rest) as self._current:
            async for token in self._current:
                yield _joined(first, token) if isinstance(token, Finished) else token


def _thinks(said: str, lead: Lead) -> bool:
    """Whether the thoughts of what was said are still open."""
    if lead.is_optional and not said.lstrip().startswith(lead.opening):
        return False
    return lead.closing not in said


def _joined(first: Finished, last: Finished) -> Finished:
    """The end of both as one answer: the second one's prompt was read for the first."""
    between = no_gaps()
    between[gap_place(last.prompt_ns)] += 1
    return replace(
        last,
        prompt_tokens=first.prompt_tokens,
        cached_tokens=first.cached_tokens,
        prompt_ns=first.prompt_ns,
        eval_tokens=first.eval_tokens + last.eval_tokens,
        eval_ns=first.eval_ns + last.prompt_ns + last.eval_ns,
        drafted_tokens=first.drafted_tokens + last.drafted_tokens,
        accepted_tokens=first.accepted_tokens + last.accepted_tokens,
        truncated=first.truncated or last.truncated,
        gaps=added(added(first.gaps, between), last.gaps),
    )
