"""One turn of a model: a prompt goes to the engine, its tokens come back as parsed events."""

from __future__ import annotations

import secrets
import string
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass

from msgspec import structs

from puna.api.events import (
    CallArguments,
    CallBegun,
    Content,
    Done,
    Event,
    Thinking,
    ToolCalls,
)
from puna.api.requests import ToolCall
from puna.fmt import SECOND
from puna.prompt.answer import AnswerParser, Piece
from puna.runner.protocol import Engine, Finished, Generation
from puna.scheduler.clock import Clock
from puna.service.thoughts import Budget, generate

__all__ = ["Stopwatch", "run_turn"]

_ID_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """When a request came in, and how long its model took to be ready (nanoseconds)."""

    clock: Clock
    started: float
    load_ns: int = 0

    def total_ns(self) -> int:
        """Nanoseconds since the request came in."""
        return int((self.clock.now() - self.started) * SECOND)


async def run_turn(
    engine: Engine,
    order: Generation,
    parser: AnswerParser,
    watch: Stopwatch,
    *,
    budget: Budget | None = None,
    is_cut: bool = False,
    calls_once: bool = False,
) -> AsyncGenerator[Event, None]:
    """Generate, and tell thoughts and tool calls from content. Ends with Done.

    `is_cut`: something of the request is not in the prompt already. With `calls_once` the
    answer ends with its first call. `budget` is how long thoughts may take.
    """
    told, thoughts = _Told(calls_once), 0
    async with generate(engine, order, budget) as tokens:
        async for token in tokens:
            if isinstance(token, Finished):
                for event in told.of(parser.flush()):
                    yield event
                yield _done(token, watch, thoughts, is_cut=is_cut)
            else:
                event = None
                for event in told.of(parser.push(token.text, token.logprobs)):
                    yield event
                thoughts += isinstance(event, Thinking)
                if told.is_enough:
                    tokens.finish()


class _Told:
    """Gives calls ids of our own, so that a client can answer each. Where one call is all that is
    wanted, what comes after it is dropped.
    """

    def __init__(self, calls_once: bool) -> None:
        self._calls_once = calls_once
        self.is_enough = False
        """Whether the one call is there."""
        self._ids: dict[int, str] = {}

    def of(self, pieces: Iterable[Piece]) -> Iterator[Event]:
        for piece in pieces:
            if self.is_enough:
                return
            match piece:
                case CallBegun(index, _, name) if self._is_wanted(index):
                    self._ids[index] = _call_id()  # another one if the last came to nothing
                    yield CallBegun(index, self._ids[index], name)
                case CallArguments(index) if self._is_wanted(index):
                    yield piece
                case ToolCalls(calls):
                    wanted = [each for each in calls if self._is_wanted(each.function.index)]
                    if wanted:
                        self.is_enough = self._calls_once
                        yield ToolCalls(tuple(map(self._identified, wanted)))
                case Content() | Thinking():
                    yield piece

    def _is_wanted(self, index: int) -> bool:
        return not (self._calls_once and index)

    def _identified(self, call: ToolCall) -> ToolCall:
        return structs.replace(call, id=self._id(call.function.index))

    def _id(self, index: int) -> str:
        return self._ids.setdefault(index, _call_id())


def _call_id() -> str:
    return "call_" + "".join(secrets.choice(_ID_LETTERS) for _ in range(8))


def _done(end: Finished, watch: Stopwatch, thoughts: int, *, is_cut: bool) -> Done:
    return Done(
        reason=end.reason,
        total_ns=watch.total_ns(),
        load_ns=watch.load_ns,
        prompt_tokens=end.prompt_tokens,
        cached_tokens=end.cached_tokens,
        prompt_ns=end.prompt_ns,
        eval_tokens=end.eval_tokens,
        eval_ns=end.eval_ns,
        context=end.tokens,
        truncated=end.truncated or is_cut,
        stop=end.stop,
        thinking_tokens=min(thoughts, end.eval_tokens),
        gaps=end.gaps,
    )
