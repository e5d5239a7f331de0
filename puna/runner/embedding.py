"""Vectors of many inputs in few decodes: which inputs enter the next one, and what it brought.

It runs in the one thread that owns the engine, between the decodes of the loop.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

import numpy as np
import numpy.typing as npt

from puna.errors import EngineError, PunaError
from puna.runner.fairness import Had, client_weights
from puna.runner.inputs import Text, fit_text
from puna.runner.llama.model import Pooling
from puna.runner.protocol import Embedding, Embeddings
from puna.runner.queueing import RISE_NS, weight
from puna.runner.wire import Embedded, Refused

__all__ = ["Embedder", "Job", "Pooled", "plan_slice"]

log = logging.getLogger(__name__)

LEAST = 16  # tokens: an input must get on, however many streams there are
UNKNOWN = 64  # tokens, before anything was measured
_TOGETHER = 512  # tokens: more of them in one decode attend to each other for nothing
_WEIGHT = 0.2  # of the newest measurement


class Pooled(Protocol):
    """What llama/pooling.py's context does here."""

    pooling: Pooling
    n_ctx: int
    n_batch: int
    n_sequences: int
    may_split: bool

    def begin(self) -> None: ...
    def add(self, sequence: int, position: int, tokens: Sequence[int]) -> None: ...
    def decode(self) -> None: ...
    def vector(self, sequence: int) -> npt.NDArray[np.float32]: ...
    def forget(self, sequences: Sequence[int]) -> None: ...


def plan_slice(
    pending: Sequence[int], budget: int, *, may_split: bool, partial: int = 0
) -> list[int]:
    """How many tokens of each input enter the next decode: all of them, or none.

    Only the input with the index `partial` may enter in part, so that there is never more than one
    half-read. Without `may_split` the first enters whole, whatever the budget.
    """
    left, counts = budget, []
    for index, length in enumerate(pending):
        whole = length <= left or (index == 0 and not may_split)
        count = length if whole else left if index == partial and may_split else 0
        counts.append(count)
        left = max(0, left - count)
    return counts


@dataclass(slots=True, eq=False)
class _Input:
    """An input under way; `total` is the sum over the tokens read so far, for the mean."""

    job: Job
    index: int
    tokens: list[int]
    n_read: int = 0
    total: npt.NDArray[np.float32] | None = None

    @property
    def pending(self) -> int:
        return len(self.tokens) - self.n_read


@dataclass(slots=True, eq=False)
class Job:
    """An order with its tokenised inputs. `waiting` are those that nobody has begun to read."""

    id: int
    order: Embedding
    texts: list[Text]
    waiting: deque[_Input] = field(default_factory=deque)
    vectors: list[bytes] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    n_left: int = 0
    served_ns: int = 0
    """When it was read last; before that, when it came."""

    @property
    def key(self) -> int:
        """What it is known by, where jobs share the engine."""
        return self.id

    @property
    def client(self) -> str:
        """Who asked for it."""
        return self.order.client

    @property
    def weight(self) -> int:
        """How large a share it gets against others of its client."""
        return weight(self.order.priority)

    def fit(self, context: Pooled) -> None:
        """Cut the inputs to what the context takes. Raises BadRequest."""
        n_ctx = min(self.order.n_ctx, context.n_ctx)
        n_batch = None if context.may_split else context.n_batch
        truncate = self.order.truncate
        cut = [fit_text(text, n_ctx, n_batch, truncate=truncate) for text in self.texts]
        self.waiting.extend(_Input(self, index, tokens) for index, tokens in enumerate(cut))
        self.vectors = [b""] * len(cut)
        self.counts = [len(tokens) for tokens in cut]
        self.n_left = len(cut)


_Part = tuple[int, _Input, int]
"""A sequence, the input that it reads, and how many tokens of it."""


class Embedder:
    """Reads the inputs of all jobs, a decode at a time: the next input is of the client, and the
    job of it, that has had least for its weight."""

    def __init__(
        self,
        open_context: Callable[[], Pooled],
        deliver: Callable[[Embedded | Refused], None],
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """`open_context` is called when the first job comes: a context takes memory."""
        self._open_context = open_context
        self._deliver = deliver
        self._clock = clock
        self._context: Pooled | None = None
        self._jobs: list[Job] = []
        self._had = Had()
        self._unfinished: _Input | None = None
        """Read in part. It is sequence 0 until it is done."""
        self._token_ns: float | None = None
        self._suspects: set[int] = set()
        """Jobs that had part in a decode that failed, and have not been read alone yet."""

    @property
    def idle(self) -> bool:
        """Whether there is nothing to read."""
        return not self._jobs

    @property
    def context(self) -> Pooled:
        """The context, made when it is asked for first. Raises EngineError, BadRequest."""
        if self._context is None:
            self._context = self._open_context()
        return self._context

    def admit(self, job: Job) -> None:
        """Take a job, or refuse it."""
        try:
            job.fit(self.context)
        except PunaError as error:
            self._refuse(job, error)
            return
        if job.n_left:
            job.served_ns = self._clock()
            self._jobs.append(job)
        else:
            self._deliver(Embedded(job.id, Embeddings([], [])))

    def cancel(self, id: int) -> None:
        """Forget a job. Unknown ids are fine: it may just have ended."""
        for job in self._jobs:
            if job.id == id:
                self._drop(job)
                return

    def step(self, beside_ns: int = 0) -> None:
        """One decode, which takes about `beside_ns` where somebody else wants the engine too."""
        if self.idle:
            return
        context = self.context
        self._had.enter(self._jobs)
        parts = self._plan(context, beside_ns)
        context.begin()
        for sequence, each, count in parts:
            tokens = each.tokens[each.n_read : each.n_read + count]
            context.add(sequence, each.n_read, tokens)
        started = self._clock()
        try:
            context.decode()
            vectors = [context.vector(sequence).copy() for sequence, _, _ in parts]
        except EngineError as error:
            self._fail(context, parts, error)
            return
        self._learn((self._clock() - started) / sum(count for _, _, count in parts))
        self._suspects -= {each.job.id for _, each, _ in parts}
        weights = client_weights(self._jobs)
        for (_, each, count), vector in zip(parts, vectors, strict=True):
            self._take(context.pooling, each, count, vector)
            self._had.add(each.job, count, weights)
            each.job.served_ns = started
        context.forget([sequence for sequence, each, _ in parts if not each.pending])
        self._finish(parts)

    def _plan(self, context: Pooled, beside_ns: int) -> list[_Part]:
        """What enters the next decode. Sequence 0 is for what is read in part, which gets what
        others leave where its turn is far away."""
        line = list(islice(self._line(), context.n_sequences))
        half = self._unfinished
        if half is not None and half not in line:
            line[-1] = half
        partial = line.index(half) if half is not None else 0
        budget = self._budget(context, line[0], beside_ns)
        pending = [each.pending for each in line]
        counts = plan_slice(pending, budget, may_split=context.may_split, partial=partial)
        parts: list[_Part] = []
        for index, (each, count) in enumerate(zip(line, counts, strict=True)):
            if count:
                number = 0 if index == partial else 1 + sum(part[0] > 0 for part in parts)
                parts.append((number, each, count))
        return parts

    def _line(self) -> Iterator[_Input]:
        """The inputs to read, the next first, as if each were read in its turn."""
        had, weights, now = self._had.copy(), client_weights(self._jobs), self._clock()
        queues = {job.id: (job, [*self._begun(job), *job.waiting]) for job in self._present()}
        for _, queue in queues.values():
            queue.reverse()
        while queues:
            job, queue = min(queues.values(), key=lambda each: self._standing(each[0], had, now))
            yield queue[-1]
            had.add(job, queue.pop().pending, weights)
            if not queue:
                del queues[job.id]

    def _present(self) -> list[Job]:
        """Whose inputs may enter the next decode: everybody's, or those of a single job as long as
        it is not known which of several made a decode fail."""
        if not self._suspects:
            return self._jobs
        if self._unfinished is not None:
            return [self._unfinished.job]
        return [next(job for job in self._jobs if job.id in self._suspects)]

    def _standing(self, job: Job, had: Had, now: int) -> tuple[float, bool, float]:
        """The least is next; of a client's jobs, one that nobody has read for long comes first."""
        mine = had.requests[job.key]
        is_due = now - job.served_ns >= RISE_NS and mine == self._had.requests[job.key]
        return had.clients[job.client], not is_due, job.served_ns if is_due else mine

    def _begun(self, job: Job) -> list[_Input]:
        half = self._unfinished
        return [half] if half is not None and half.job is job else []

    def _budget(self, context: Pooled, head: _Input, beside_ns: int) -> int:
        together = min(context.n_batch, _TOGETHER)
        if not context.may_split:
            return max(together, head.pending)
        if not beside_ns:
            return min(context.n_batch, max(together, head.pending))
        if self._token_ns is None:
            return min(UNKNOWN, together)
        return int(min(max(beside_ns / max(self._token_ns, 1.0), LEAST), together))

    def _learn(self, token_ns: float) -> None:
        average = token_ns if self._token_ns is None else self._token_ns
        self._token_ns = average + _WEIGHT * (token_ns - average)

    def _take(
        self, pooling: Pooling, each: _Input, count: int, vector: npt.NDArray[np.float32]
    ) -> None:
        """Note what was read; a part's vector counts as far as the pooling wants it."""
        job = each.job
        if not each.n_read:
            job.waiting.remove(each)
        each.n_read += count
        match pooling:
            case Pooling.MEAN:
                part = vector * np.float32(count)
                each.total = part if each.total is None else each.total + part
                vector = each.total / np.float32(each.n_read)
            case Pooling.CLS:
                each.total = vector if each.total is None else each.total
                vector = each.total
        if each.pending:
            self._unfinished = each
        else:
            if self._unfinished is each:
                self._unfinished = None
            job.vectors[each.index] = vector.tobytes()
            job.n_left -= 1

    def _finish(self, parts: list[_Part]) -> None:
        """Deliver jobs that are done."""
        for job in dict.fromkeys(each.job for _, each, _ in parts):
            if not job.n_left:
                self._jobs.remove(job)
                self._deliver(Embedded(job.id, Embeddings(job.vectors, job.counts)))

    def _fail(self, context: Pooled, parts: list[_Part], error: EngineError) -> None:
        """Refuse a job that was alone in a decode that failed. Of several each is read by itself
        next, and what was read in part from its beginning: nobody knows what is left of its cells.
        """
        context.forget([0, *(sequence for sequence, _, _ in parts if sequence)])
        half, self._unfinished = self._unfinished, None
        if half is not None:
            half.n_read, half.total = 0, None
            half.job.waiting.appendleft(half)
        failed = list(dict.fromkeys(each.job for _, each, _ in parts))
        if len(failed) > 1:
            log.warning("a decode of %d jobs failed, each is tried alone: %s", len(failed), error)
            self._suspects |= {job.id for job in failed}
            return
        self._forget(failed[0])
        self._refuse(failed[0], error)

    def _drop(self, job: Job) -> None:
        self._forget(job)
        if self._unfinished is not None and self._unfinished.job is job:
            self._unfinished = None
            self.context.forget([0])

    def _forget(self, job: Job) -> None:
        self._jobs.remove(job)
        self._suspects.discard(job.id)

    def _refuse(self, job: Job, error: PunaError) -> None:
        self._deliver(Refused(job.id, error.status, str(error)))
