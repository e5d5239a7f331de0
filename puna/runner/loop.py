"""The batching loop of one model: admit, decode everybody's tokens together, sample, deliver.

It runs in the one thread that owns the engine. Doors for what comes later: `_place` is where a
prefix already in the cache would be attached instead of computed, `_choose_victim` is where
priorities would decide.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from puna.api.events import Logprob
from puna.errors import EngineError, PunaError
from puna.runner.batch import Share, Want, discard_count, plan_batch
from puna.runner.llama.context import Context, Decoded
from puna.runner.llama.logprobs import logprob_of
from puna.runner.llama.model import Model
from puna.runner.protocol import Piece, StopReason
from puna.runner.running import Running
from puna.runner.wire import Ended, Refused, Said, Step

__all__ = ["Loop"]

_MARGIN = 32  # cells left free for each sequence when one more is admitted


class Loop:
    """Decodes all running generations together, one step at a time."""

    def __init__(
        self,
        model: Model,
        context: Context,
        deliver: Callable[[Step | Refused], None],
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._model = model
        self._context = context
        self._deliver = deliver
        self._clock = clock
        self._waiting: deque[Running] = deque()
        self._running: list[Running] = []  # oldest first
        self._free = list(range(context.n_sequences))
        self._step = Step([], [])

    @property
    def idle(self) -> bool:
        """Whether there is nothing to decode."""
        return not self._waiting and not self._running

    @property
    def n_running(self) -> int:
        """Generations that hold cells now."""
        return len(self._running)

    @property
    def n_used(self) -> int:
        """Cells in use."""
        return sum(each.n_cached for each in self._running)

    def admit(self, generation: Running) -> None:
        """Take a generation; it starts as soon as there is room."""
        self._waiting.append(generation)

    def cancel(self, id: int) -> None:
        """Forget a generation and free its cells. Unknown ids are fine: it may just have ended."""
        for each in list(self._waiting):
            if each.id == id:
                self._waiting.remove(each)
                each.sampler.close()
                return
        for each in self._running:
            if each.id == id:
                self._release(each)
                return

    def step(self) -> None:
        """One decode for everybody, and the delivery of what it brought."""
        self._step = Step([], [])
        self._admit_waiting()
        for each in list(self._running):
            self._keep_within_context(each)
        if self._running:
            self._decode()
        if self._step.said or self._step.ended:
            self._deliver(self._step)

    def _admit_waiting(self) -> None:
        while self._waiting and self._free:
            candidate = self._waiting[0]
            margin = _MARGIN * (len(self._running) + 1)
            room = self._context.n_cells - sum(len(each.tokens) for each in self._running)
            if self._running and room < len(candidate.tokens) + margin:
                return  # first come, first served: nobody overtakes the one who waits for room
            self._waiting.popleft()
            self._place(candidate)

    def _place(self, generation: Running) -> None:
        """Give a generation a sequence of its own; its prompt is computed from the start."""
        generation.sequence = self._free.pop()
        generation.n_cached = 0
        generation.started_ns = generation.started_ns or self._clock()
        self._running.append(generation)

    def _keep_within_context(self, each: Running) -> None:
        """Shift a full context, or end the generation where shifting is not allowed."""
        if len(each.tokens) <= each.n_ctx:
            return
        if not each.order.shift:
            self._end(each, "length")
            return
        count = discard_count(each.n_ctx, each.n_keep, len(each.tokens) - 1)
        each.truncated = True
        del each.tokens[each.n_keep : each.n_keep + count]
        if self._context.can_shift and each.n_cached >= each.n_keep + count:
            self._context.shift(each.sequence, each.n_keep, count)
            each.n_cached -= count
        else:
            self._context.remove(each.sequence)
            each.n_cached = 0

    def _decode(self) -> None:
        shares = self._plan()
        by_key = {each.id: each for each in self._running}
        self._context.begin()
        sampling: list[tuple[Running, int]] = []
        for share in shares:
            each = by_key[share.key]
            tokens = each.tokens[each.n_cached : each.n_cached + share.count]
            last = share.count == each.pending
            index = self._context.add(each.sequence, each.n_cached, tokens, logits=last)
            if last:
                sampling.append((each, index))
        try:
            result = self._context.decode()
        except EngineError as error:
            self._fail([by_key[share.key] for share in shares], error)
            return
        if result is Decoded.NO_CELLS:
            self._recover_cells()
            return
        for share in shares:
            by_key[share.key].n_cached += share.count
        for each, index in sampling:
            try:
                self._sample(each, index)
            except PunaError as error:
                self._fail([each], error)

    def _plan(self) -> list[Share]:
        """Shares that fit into the free cells; the youngest make room where they do not."""
        while True:
            wants = [Want(each.id, each.pending) for each in self._running]
            shares = plan_batch(wants, self._context.n_batch)
            needed = sum(share.count for share in shares)
            if self.n_used + needed <= self._context.n_cells or len(self._running) == 1:
                return shares
            self._preempt(self._choose_victim())

    def _choose_victim(self) -> Running:
        return self._running[-1]

    def _preempt(self, each: Running) -> None:
        """Take the cells of a generation; it goes on later from its tokens, unnoticed."""
        self._context.remove(each.sequence)
        self._running.remove(each)
        self._free.append(each.sequence)
        each.sequence = -1
        self._waiting.appendleft(each)

    def _recover_cells(self) -> None:
        """The engine found no cells although we counted enough (fragmented or windowed memory)."""
        if len(self._running) > 1:
            self._preempt(self._choose_victim())
        else:
            self._fail(list(self._running), EngineError("the context of the model is full"))

    def _sample(self, each: Running, index: int) -> None:
        now = self._clock()
        each.last_ns = now
        if each.max_tokens == 0:
            self._end(each, "length")
            return
        each.first_ns = each.first_ns or now
        token = each.sampler.sample(self._context, index)
        each.n_output += 1
        each.output.append(token)
        if self._model.is_end(token):
            self._end(each, "stop")
            return
        tag = None
        if each.order.top_logprobs is not None:
            logits = self._context.logits(index)
            tag = logprob_of(self._model, logits, token, each.order.top_logprobs)
        each.tokens.append(token)
        self._say(each, *each.text.push(self._model.piece(token), tag))
        if each.text.stopped:
            self._end(each, "stop")
        elif each.n_output >= each.max_tokens > 0:
            self._end(each, "length")

    def _say(self, each: Running, text: str, tags: tuple[Logprob, ...]) -> None:
        if text or tags:
            self._step.said.append(Said(each.id, Piece(text, tags)))

    def _end(self, each: Running, reason: StopReason) -> None:
        self._say(each, *each.text.flush())
        self._step.ended.append(Ended(each.id, each.finished(reason)))
        self._release(each)

    def _fail(self, failed: list[Running], error: PunaError) -> None:
        for each in failed:
            self._deliver(Refused(each.id, error.status, str(error)))
            self._release(each)

    def _release(self, each: Running) -> None:
        self._context.remove(each.sequence)
        self._running.remove(each)
        self._free.append(each.sequence)
        each.sampler.close()
