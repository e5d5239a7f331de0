"""The batching loop of one model: admit, decode everybody's tokens together, sample, deliver.

It runs in the one thread that owns the engine.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from puna.errors import EngineError, PunaError
from puna.fmt import SECOND
from puna.runner.admission import Admission
from puna.runner.batch import discard_count
from puna.runner.burst import has_company, may_have_company
from puna.runner.cells import Cells, Memory, memory_of
from puna.runner.llama.context import Context, Decoded
from puna.runner.llama.model import Model
from puna.runner.looking import Eyes
from puna.runner.media import Encoder, Seen
from puna.runner.planning import Part, Planning
from puna.runner.protocol import StopReason
from puna.runner.queueing import victim
from puna.runner.reading import TAIL
from puna.runner.running import Running
from puna.runner.speaking import Speaking
from puna.runner.speculate import Speculation
from puna.runner.warm.keeper import Keeper
from puna.runner.wire import Refused, Step

__all__ = ["Loop"]

log = logging.getLogger(__name__)


class Loop:
    """Decodes all running generations together, one step at a time."""

    def __init__(
        self,
        model: Model,
        context: Context,
        deliver: Callable[[Step | Refused], None],
        clock: Callable[[], int] = time.perf_counter_ns,
        speculation: Speculation | None = None,
        keeper: Keeper | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        self._context = context
        self._clock = clock
        self._running: list[Running] = []
        memory = memory_of(model)
        self._cells = Cells(context, memory, keeper)
        self._admission = Admission(self._cells, context.n_live)
        self._waiting = self._admission.waiting
        self._speaking = Speaking(model, context, self._cells, deliver, clock)
        self._deliver = deliver
        # a state cannot go back behind tokens that turned out wrong
        usable = None if memory is Memory.STATE else speculation
        self._planning = Planning(context, self._cells, usable, self._give_way)
        self._eyes = Eyes(encoder, context, self._cells) if encoder else None
        self.is_blind = False
        """Whether nothing could be decoded: all wait for the encoder, or for who does."""
        self._undrawn: list[Part] = []
        """What of the newest decode has logits, where its draws wait for who comes by then."""

    @property
    def idle(self) -> bool:
        """Whether there is nothing to decode."""
        return not self._waiting and not self._running

    @property
    def n_used(self) -> int:
        """KV cells in use, by what runs and by what is held."""
        return self._cells.used

    @property
    def n_held(self) -> int:
        """Those of them that are held for prompts to come."""
        return self._cells.obtainable() - self._cells.free

    def admit(self, generation: Running) -> None:
        """Take a generation; it starts as soon as there is room."""
        generation.arrived_ns = self._clock()
        self._waiting.append(generation)

    def cancel(self, id: int) -> None:
        """Forget a generation and free its cells. Unknown ids are fine: it may just have ended."""
        for each in self._waiting:
            if each.id == id:
                self._waiting.remove(each)
                self._close(each)
                break
        for each in self._running:
            if each.id == id:
                self._release(each)
                break
        if self.idle:
            self._speaking.tell()  # nobody is left whose decode would do it

    def finish(self, id: int) -> None:
        """End a generation in order: it has said enough. Unknown ids are fine."""
        for each in self._running:
            if each.id == id:
                self._end(each, "stop")
                break
        for each in self._waiting:  # its cells were taken for a while
            if each.id == id:
                self._speaking.close(each, "stop")
                self._waiting.remove(each)
                self._close(each)
                break
        if self.idle:
            self._speaking.tell()

    def see(self, seen: Seen) -> None:
        """Take in what the encoder made of an image or a recording. Unknown ids are fine."""
        if self._eyes is not None:
            failed = self._eyes.take(seen, (*self._running, *self._waiting))
            if failed is not None:
                self._fail([failed[0]], failed[1])

    def step(self) -> None:
        """One decode for everybody, and the delivery of what it brought.

        Where the device computes by itself the delivery waits for the next decode to have begun.
        """
        for each in self._admission.admit(self._running, self._clock()):
            self._place(each)
        self._begin_together()
        for each in list(self._running):
            self._keep_within_context(each)
        decoded = bool(self._running) and self._decode()
        if self._eyes is not None:
            looked = self._look(self._eyes)
            self.is_blind = bool(self._running) and not (decoded or looked)
            if self.is_blind:
                self._speaking.tell()
        if not self._context.is_asynchronous and (
            self._waiting or self._speaking.is_due(self._running)
        ):
            self._speaking.tell()
        if self.idle:
            self._speaking.tell()
            self._context.settle()

    def close(self, seconds: float) -> None:
        """End what runs, and save what the cells hold as far as it goes in so much time."""
        until = self._clock() + int(seconds * SECOND)
        for each in list(self._running):
            self._release(each)
        self._cells.save(lambda: self._clock() < until)

    def _place(self, generation: Running) -> None:
        """Give a generation a sequence; what is in the cache of its prompt is shared."""
        tokens, spans = generation.tokens, generation.spans
        generation.sequence, generation.n_cached = self._cells.open(tokens, spans)
        if not generation.started_ns:
            generation.started_ns = self._clock()
            generation.n_reused = generation.n_cached
        self._running.append(generation)
        if self._eyes is not None:
            self._eyes.begin(generation)

    def _keep_within_context(self, each: Running) -> None:
        """Shift a full context, or end the generation where shifting is not allowed."""
        if len(each.tokens) <= each.n_ctx:
            return
        if not each.order.shift or each.media:
            self._end(each, "length")
            return
        count = discard_count(each.n_ctx, each.n_keep, len(each.tokens) - 1)
        each.truncated = True
        del each.tokens[each.n_keep : each.n_keep + count]
        self._planning.forget_text(each.id)
        each.n_cached = self._cells.shift(each.sequence, each.n_keep, count)

    def _decode(self) -> bool:
        """Decode everybody's tokens; False when there are none."""
        parts = self._planning.make_batch(self._running)
        if not parts:
            return False
        started = self._clock()
        try:
            result = self._context.decode()
        except EngineError as error:
            self._separate([part.generation for part in parts], error)
            return True
        if result is Decoded.NO_CELLS:
            self._recover_cells()
            return True
        if self._context.is_asynchronous:
            self._speaking.tell()
        self._context.wait()
        self._planning.learn(parts, self._clock() - started)
        for part in parts:
            self._cells.grow(part.generation.sequence, part.tokens)
            part.generation.n_cached += len(part.tokens)
        drawn = [part for part in parts if part.index >= 0]
        self._planning.acquit(part.generation for part in drawn)
        if self._cells.can_cut and all(
            may_have_company(part.generation, len(part.tokens), self._running) for part in drawn
        ):
            self._undrawn = drawn
        else:
            self._draw(drawn)
        return True

    def _begin_together(self) -> None:
        """Draw first words that are due, or read their prompts' ends again with those that came
        meanwhile."""
        parts = [part for part in self._undrawn if part.generation in self._running]
        self._undrawn = []
        if any(has_company(each.generation, len(each.tokens), self._running) for each in parts):
            for each in (part.generation for part in parts):
                each.n_cached = self._cells.cut(each.sequence, len(each.tokens) - TAIL)
                self._planning.reopen(each.id)
        elif parts:
            self._draw(parts)
            if not self._context.is_asynchronous:
                self._speaking.tell()

    def _draw(self, parts: list[Part]) -> None:
        for part in parts:
            try:
                self._go_on(part.generation, part.index, part.draft)
            except PunaError as error:
                self._fail([part.generation], error)

    def _separate(self, failed: list[Running], error: EngineError) -> None:
        """Fail who is alone in a decode that failed; of several, find out who it was: each is
        computed again by itself, as nobody knows what is left of its cells."""
        if len(failed) == 1:
            self._fail(failed, error)
            return
        log.warning("a decode of %d requests failed, each is tried alone: %s", len(failed), error)
        for each in failed:
            self._preempt(each)
        self._planning.suspect(failed)

    def _look(self, eyes: Eyes) -> bool:
        """Decode some of an image or a recording whose turn it is; False when there is none."""
        glimpse = eyes.next(self._running)
        if glimpse is None:
            return False
        each = glimpse.generation
        while not self._cells.make_room(glimpse.count) and len(self._running) > 1:
            self._give_way()
            if each.sequence < 0:
                return True
        try:
            if eyes.decode(glimpse) is Decoded.NO_CELLS:
                self._recover_cells()
            elif not each.pending:
                self._go_on(each, glimpse.count - 1, [])
        except PunaError as error:
            self._fail([each], error)
        return True

    def _give_way(self) -> None:
        """Take the cells of who matters least."""
        each = victim(self._running)
        each.n_preempted += 1
        self._preempt(each)

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
            self._give_way()
        else:
            self._fail(list(self._running), EngineError("the context of the model is full"))

    def _go_on(self, each: Running, index: int, draft: list[int]) -> None:
        """Let a generation say what follows from the newest decode."""
        reason = self._speaking.go_on(each, index, draft)
        if reason is not None:
            self._end(each, reason)

    def _end(self, each: Running, reason: StopReason) -> None:
        self._speaking.end(each, reason)
        self._release(each)

    def _fail(self, failed: list[Running], error: PunaError) -> None:
        self._speaking.tell()  # what they said comes before their error
        for each in failed:
            self._deliver(Refused(each.id, error.status, str(error), error.code))
            if each.sequence < 0:
                self._waiting.remove(each)
                self._close(each)
                continue
            self._cells.release(each.sequence)
            self._leave(each)

    def _release(self, each: Running) -> None:
        """End a generation; what it computed stays for prompts that begin alike."""
        self._cells.hold(each.sequence)
        self._leave(each)

    def _leave(self, each: Running) -> None:
        self._running.remove(each)
        self._close(each)

    def _close(self, each: Running) -> None:
        self._planning.forget(each.id)
        each.sampler.close()
        if self._eyes is not None:
            self._eyes.end(each)
