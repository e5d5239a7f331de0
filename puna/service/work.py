"""One request for a model, from its checks to its end: what metrics are told of it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from puna.api.events import Done
from puna.errors import Busy, Cancelled, PunaError
from puna.metrics import Metrics, Operation, Outcome
from puna.scheduler.clock import Clock
from puna.scheduler.loop import Lease
from puna.scheduler.state import SECOND_NS, Need

__all__ = ["Work"]


class Work:
    """A context manager around all that is done for a request; who does it says what happens."""

    def __init__(
        self, metrics: Metrics, clock: Clock, need: Need, operation: Operation, started: float
    ) -> None:
        """`started` is when the request came, in seconds of the clock."""
        self._metrics = metrics
        self._clock = clock
        self._need = need
        self._operation = operation
        self._started = started
        self._pieces = 0
        self._is_done = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pieces and not self._is_done:  # nobody knows how many tokens those are
            self._metrics.tokens(*self._of, prompt=0, output=self._pieces)
        took = self._clock.now() - self._started
        self._metrics.worked(*self._of, _outcome(error, is_done=self._is_done), took)

    def leased(self, lease: Lease) -> None:
        """The model is there."""
        self._metrics.waited(
            self._need.name, self._need.priority, lease.queue_seconds, lease.load_seconds
        )

    def said(self) -> None:
        """A piece of the answer is there."""
        if not self._pieces:
            self._metrics.first_token(*self._of, self._clock.now() - self._started)
        self._pieces += 1

    def done(self, end: Done) -> None:
        """The answer is complete."""
        self._is_done = True
        self._metrics.tokens(*self._of, end.prompt_tokens, end.cached_tokens, end.eval_tokens)
        self._metrics.gaps(*self._of, end.gaps, end.eval_ns / SECOND_NS)

    def read(self, tokens: int) -> None:
        """So many tokens of texts were read."""
        self._is_done = True
        self._metrics.tokens(*self._of, prompt=tokens)

    @property
    def _of(self) -> tuple[str, Operation]:
        return self._need.name, self._operation


def _outcome(error: BaseException | None, *, is_done: bool) -> Outcome:
    if error is None:
        return "ok"
    if isinstance(error, Cancelled | asyncio.CancelledError | GeneratorExit):
        return "ok" if is_done else "cancelled"
    if isinstance(error, Busy):
        return "busy"
    return "refused" if isinstance(error, PunaError) and error.status < 500 else "failed"
