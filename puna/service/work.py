"""One request for a model, from its checks to its end: what metrics and traces are told of it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from puna.api.events import Content, Done, Event, Thinking, ToolCalls
from puna.api.requests import ChatRequest, GenerateRequest
from puna.errors import Busy, Cancelled, NotFound, PunaError, StartFailed, quoted
from puna.metrics import Metrics, Operation, Outcome
from puna.runner.protocol import Generation
from puna.scheduler.clock import Clock
from puna.scheduler.lease import Lease, Ticket
from puna.scheduler.loop import Scheduler
from puna.scheduler.state import SECOND_NS, Need
from puna.threads import in_thread
from puna.tracing import LISTENER, Phase, Story, Value

__all__ = ["Work", "asked", "leased"]

_COMPUTES = frozenset({"chat", "generate", "embed", "rerank"})


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
        self._listener = LISTENER.get()
        self._wants_text = self._listener is not None and self._listener.wants_text
        self._facts: dict[str, Value] = {}
        self._lease: Lease | None = None
        self._first_at = 0.0
        self._done: Done | None = None
        self._is_done = False
        self._said: list[dict[str, str]] = []

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
        now, outcome = self._clock.now(), _outcome(error, is_done=self._is_done)
        self._metrics.worked(*self._of, outcome, now - self._started)
        if self._listener is not None:
            self._listener.tell(
                Story(
                    model=self._need.name,
                    operation=self._operation,
                    began=self._started,
                    ended=now,
                    phases=tuple(self._phases(now)),
                    facts=self._facts | self._answer(),
                    error="" if outcome == "ok" else _kind(error),
                )
            )

    def leased(self, lease: Lease) -> None:
        """The model is there."""
        self._lease = lease
        self._metrics.waited(
            self._need.name, self._need.priority, lease.queue_seconds, lease.load_seconds
        )

    def begins(self, order: ChatRequest | GenerateRequest, asked: Generation) -> None:
        """This is asked of the model."""
        if self._listener is None:
            return
        sampling = asked.sampling
        self._facts |= {
            "gen_ai.request.stream": order.stream is not False,
            "gen_ai.request.temperature": sampling.temperature,
            "gen_ai.request.top_p": sampling.top_p,
            "gen_ai.request.top_k": float(sampling.top_k),
            "gen_ai.request.frequency_penalty": sampling.frequency_penalty,
            "gen_ai.request.presence_penalty": sampling.presence_penalty,
        }
        if asked.max_tokens > 0:
            self._facts["gen_ai.request.max_tokens"] = asked.max_tokens
        if sampling.seed >= 0:
            self._facts["gen_ai.request.seed"] = sampling.seed
        if asked.stop and self._wants_text:
            self._facts["gen_ai.request.stop_sequences"] = asked.stop
        if self._wants_text:
            self._facts["gen_ai.input.messages"] = json.dumps(_messages(order))

    def said(self, event: Event) -> None:
        """A piece of the answer is there."""
        if not self._pieces:
            self._first_at = self._clock.now()
            self._metrics.first_token(*self._of, self._first_at - self._started)
        self._pieces += 1
        if self._wants_text:
            self._keep(event)

    def done(self, end: Done) -> None:
        """The answer is complete."""
        self._done, self._is_done = end, True
        self._metrics.tokens(*self._of, end.prompt_tokens, end.cached_tokens, end.eval_tokens)
        self._metrics.gaps(*self._of, end.gaps, end.eval_ns / SECOND_NS)

    def read(self, tokens: int) -> None:
        """So many tokens of texts were read."""
        self._is_done = True
        self._metrics.tokens(*self._of, prompt=tokens)
        self._facts["gen_ai.usage.input_tokens"] = tokens

    @property
    def _of(self) -> tuple[str, Operation]:
        return self._need.name, self._operation

    def _phases(self, now: float) -> Iterator[Phase]:
        """Queue, load, prefill and decode, as far as it came. Where an answer is complete, the last
        two are as long as the runner says.
        """
        lease, end = self._lease, self._done
        if lease is None:
            yield Phase("queue", self._started, now)
            return
        is_loaded = lease.load_seconds > 0
        yield Phase("queue", lease.asked_at, lease.loading_from if is_loaded else lease.given_at)
        if is_loaded:
            yield Phase("load", lease.loading_from, lease.loading_until)
        if self._operation not in _COMPUTES:
            return
        first = self._first_at or now
        began = lease.given_at
        if end is not None:
            first = max(began, now - end.eval_ns / SECOND_NS)
            began = max(began, first - end.prompt_ns / SECOND_NS)
        yield Phase("prefill", began, first)
        if self._pieces or end is not None:
            yield Phase("decode", first, now)

    def _answer(self) -> dict[str, Value]:
        """What the facts are at the end."""
        facts: dict[str, Value] = {}
        if self._first_at:
            facts["gen_ai.response.time_to_first_chunk"] = self._first_at - self._started
        if (end := self._done) is not None:
            facts |= {
                "gen_ai.response.finish_reasons": [end.reason],
                "gen_ai.usage.input_tokens": end.prompt_tokens,
                "gen_ai.usage.output_tokens": end.eval_tokens,
                "gen_ai.usage.cache_read.input_tokens": end.cached_tokens,
                "gen_ai.usage.reasoning.output_tokens": end.thinking_tokens,
            }
        if self._said:
            reason = end.reason if end else "error"
            message = {"role": "assistant", "parts": self._said, "finish_reason": reason}
            facts["gen_ai.output.messages"] = json.dumps([message])
        return facts

    def _keep(self, event: Event) -> None:
        match event:
            case Content(text):
                self._join("text", text)
            case Thinking(text):
                self._join("reasoning", text)
            case ToolCalls(calls):
                for call in calls:
                    arguments = json.dumps(call.function.arguments)
                    part = {"type": "tool_call", "id": call.id, "name": call.function.name}
                    self._said.append(part | {"arguments": arguments})

    def _join(self, kind: str, text: str) -> None:
        if self._said and self._said[-1]["type"] == kind:
            self._said[-1]["content"] += text
        else:
            self._said.append({"type": kind, "content": text})


@asynccontextmanager
async def asked(
    scheduler: Scheduler, clock: Clock, need: Need, operation: Operation, started: float
) -> AsyncIterator[tuple[Ticket, Work]]:
    """Ask for the model of a request that came at `started`, and tell of the work with it. When the
    model is there is the caller's to say. Raises as Scheduler.lease, and NotFound for a model that
    was deleted before it was loaded.
    """
    with Work(scheduler.metrics, clock, need, operation, started) as work:
        try:
            async with scheduler.ask(need) as ticket:
                yield ticket, work
        except StartFailed as failed:
            if await in_thread(_are_there, need.plan.weights):
                raise
            text = f"model {quoted(need.name)} was deleted while this request waited for it"
            raise NotFound(text) from failed


@asynccontextmanager
async def leased(
    scheduler: Scheduler, clock: Clock, need: Need, operation: Operation, started: float
) -> AsyncIterator[tuple[Lease, Work]]:
    """Wait for the model of a request as `asked` does."""
    async with asked(scheduler, clock, need, operation, started) as (ticket, work):
        lease = await ticket.lease()
        work.leased(lease)
        yield lease, work


def _are_there(paths: Iterable[str]) -> bool:
    return all(map(os.path.exists, paths))


def _messages(order: ChatRequest | GenerateRequest) -> list[dict[str, Any]]:
    if isinstance(order, GenerateRequest):
        spoken = [("system", order.system)] if order.system else []
        spoken.append(("user", order.prompt))
    else:
        spoken = [(message.role, message.content) for message in order.messages]
    return [{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in spoken]


def _outcome(error: BaseException | None, *, is_done: bool) -> Outcome:
    if error is None:
        return "ok"
    if isinstance(error, Cancelled | asyncio.CancelledError | GeneratorExit):
        return "ok" if is_done else "cancelled"
    if isinstance(error, Busy):
        return "busy"
    return "refused" if isinstance(error, PunaError) and error.status < 500 else "failed"


def _kind(error: BaseException | None) -> str:
    """The kind of an error: its words may be the user's."""
    if isinstance(error, GeneratorExit | asyncio.CancelledError):
        return "Cancelled"
    return type(error).__name__
