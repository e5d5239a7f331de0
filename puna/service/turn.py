"""One turn of a model: a prompt goes to the engine, its tokens come back as parsed events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from puna.api.events import Content, Done, Event
from puna.prompt.thinking import ThinkingSplitter
from puna.runner.protocol import Engine, Finished, Generation
from puna.scheduler.clock import Clock

__all__ = ["Stopwatch", "run_turn"]

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """When a request came in, and how long its model took to be ready (nanoseconds)."""

    clock: Clock
    started: float
    load_ns: int = 0

    def total_ns(self) -> int:
        """Nanoseconds since the request came in."""
        return int((self.clock.now() - self.started) * SECOND_NS)


async def run_turn(
    engine: Engine, order: Generation, splitter: ThinkingSplitter | None, watch: Stopwatch
) -> AsyncGenerator[Event, None]:
    """Generate, and tell thoughts from content where a splitter is given. Ends with Done."""
    async with engine.generate(order) as tokens:
        async for token in tokens:
            if isinstance(token, Finished):
                for event in splitter.flush() if splitter else ():
                    yield event
                yield _done(token, watch)
            elif splitter is None:
                yield Content(token.text, token.logprobs)
            else:
                for event in splitter.push(token.text, token.logprobs):
                    yield event


def _done(end: Finished, watch: Stopwatch) -> Done:
    return Done(
        reason=end.reason,
        total_ns=watch.total_ns(),
        load_ns=watch.load_ns,
        prompt_tokens=end.prompt_tokens,
        prompt_ns=end.prompt_ns,
        eval_tokens=end.eval_tokens,
        eval_ns=end.eval_ns,
        context=end.tokens,
    )
