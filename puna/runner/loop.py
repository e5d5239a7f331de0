"""The batching loop of one model: admit, decode everybody's tokens together, sample, deliver.

It runs in the one thread that owns the engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from puna.api.events import Logprob
from puna.errors import EngineError, PunaError
from puna.runner.batch import Share, Want, discard_count, plan_batch
from puna.runner.cells import Cells, Memory
from puna.runner.llama.context import Context, Decoded
from puna.runner.llama.logprobs import logprob_of
from puna.runner.llama.model import Model
from puna.runner.pace import Pace
from puna.runner.prefix import common_length
from puna.runner.protocol import Piece, StopReason
from puna.runner.queueing import in_turn, victim, weight
from puna.runner.running import Running
from puna.runner.wire import Ended, Refused, Said, Step

__all__ = ["Loop"]

_MARGIN = 32  # cells left free for each sequence when one more is admitted
_WORTH = 16  # common tokens from which on it pays to wait for somebody else's


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
        self._waiting: list[Running] = []  # queueing.py says whose turn it is
        self._running: list[Running] = []
        self._cells = Cells(context, _memory_of(model))
        self._pace = Pace()
        self._step = Step([], [])

    @property
    def idle(self) -> bool:
        """Whether there is nothing to decode."""
        return not self._waiting and not self._running

    def admit(self, generation: Running) -> None:
        """Take a generation; it starts as soon as there is room."""
        generation.arrived_ns = self._clock()
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
        for candidate in in_turn(self._waiting, self._clock()):
            if len(self._running) >= self._context.n_live or not self._cells.has_number:
                return
            reusable = self._cells.reusable(candidate.tokens)
            if self._is_led(candidate, reusable):
                continue
            if self._running and not self._has_room(len(candidate.tokens) - reusable):
                return  # nobody overtakes the one whose turn it is and who waits for room
            self._waiting.remove(candidate)
            self._place(candidate)

    def _is_led(self, candidate: Running, reusable: int) -> bool:
        """Whether somebody is reading a beginning that the candidate can use when it is read."""
        return any(
            (common := common_length(each.tokens, candidate.tokens)) >= _WORTH
            and common > max(reusable, each.n_cached)
            for each in self._running
            if each.pending > 1
        )

    def _has_room(self, count: int) -> bool:
        """Whether `count` cells can be had, with a margin for everybody to go on for a while.

        Prompts that are still being read have cells to come.
        """
        promised = sum(each.pending for each in self._running)
        margin = _MARGIN * (len(self._running) + 1)
        return self._cells.obtainable() - promised >= count + margin

    def _place(self, generation: Running) -> None:
        """Give a generation a sequence; what is in the cache of its prompt is shared."""
        generation.sequence, generation.n_cached = self._cells.open(generation.tokens)
        if not generation.started_ns:
            generation.started_ns = self._clock()
            generation.n_reused = generation.n_cached
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
        each.n_cached = self._cells.shift(each.sequence, each.n_keep, count)

    def _decode(self) -> None:
        by_key = {each.id: each for each in self._running}
        parts: list[tuple[Running, list[int]]] = []
        sampling: list[tuple[Running, int]] = []
        self._context.begin()
        for share in self._plan():
            each = by_key[share.key]
            tokens = each.tokens[each.n_cached : each.n_cached + share.count]
            last = share.count == each.pending
            index = self._context.add(each.sequence, each.n_cached, tokens, logits=last)
            parts.append((each, tokens))
            if last:
                sampling.append((each, index))
        started = self._clock()
        try:
            result = self._context.decode()
        except EngineError as error:
            self._fail([each for each, _ in parts], error)
            return
        if result is Decoded.NO_CELLS:
            self._recover_cells()
            return
        for each, tokens in parts:
            self._cells.grow(each.sequence, tokens)
            each.n_cached += len(tokens)
        streams = sum(len(tokens) == 1 for _, tokens in parts)
        prompt = sum(len(tokens) for _, tokens in parts) - streams
        self._pace.learn(self._clock() - started, streams, prompt)
        for each, index in sampling:
            try:
                self._sample(each, index)
            except PunaError as error:
                self._fail([each], error)

    def _plan(self) -> list[Share]:
        """Shares that fit into the free cells; who matters least makes room where they do not."""
        while True:
            wants = [Want(each.id, each.pending, weight(each.priority)) for each in self._running]
            streams = sum(want.pending == 1 for want in wants)
            allowance = self._pace.allowance(streams, self._context.n_batch)
            shares = plan_batch(wants, self._context.n_batch, allowance)
            needed = sum(share.count for share in shares)
            if self._cells.make_room(needed) or len(self._running) == 1:
                return shares
            self._preempt(victim(self._running))

    def _preempt(self, each: Running) -> None:
        """Take the cells of a generation; it goes on later from its tokens, unnoticed."""
        self._cells.release(each.sequence)
        self._running.remove(each)
        each.sequence = -1
        each.n_cached = 0
        self._waiting.append(each)

    def _recover_cells(self) -> None:
        """The engine found no cells although we counted enough (fragmented or windowed memory)."""
        if self._cells.drop_one():
            return
        if len(self._running) > 1:
            self._preempt(victim(self._running))
        else:
            self._fail(list(self._running), EngineError("the context of the model is full"))

    def _sample(self, each: Running, index: int) -> None:
        now = self._clock()
        each.last_ns = now
        if each.max_tokens == 0:
            self._end(each, "length")
            return
        each.first_ns = each.first_ns or now
        wants_logprobs = each.order.top_logprobs is not None
        logits = self._context.logits(index).copy() if wants_logprobs else None
        token = each.sampler.sample(self._context, index)
        each.n_output += 1
        each.output.append(token)
        if self._model.is_end(token):
            self._end(each, "stop")
            return
        tag = None
        if logits is not None:
            tag = logprob_of(self._model, logits, token, each.order.top_logprobs or 0)
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
            self._cells.release(each.sequence)
            self._leave(each)

    def _release(self, each: Running) -> None:
        """End a generation; what it computed stays for prompts that begin alike."""
        self._cells.hold(each.sequence)
        self._leave(each)

    def _leave(self, each: Running) -> None:
        self._running.remove(each)
        each.sampler.close()


def _memory_of(model: Model) -> Memory:
    if model.is_recurrent:
        return Memory.STATE
    return Memory.WINDOW if model.n_window else Memory.FULL
