"""A context in which every sequence has cells to itself, for those that say their words together.

On processors attention in the pool looks, for every token, at the cells of everybody. Eight
sequences of 1,000 tokens that have nothing in common took 58 ms for a word each of a 100M model in
the pool, and 33 ms here. Those that share most of what they have stay in the pool. Sequences come
here when looking at others' cells has cost as much as moving does, and the pool gets what is new
before anybody needs it there.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from puna.discover.memory import available_memory
from puna.errors import EngineError
from puna.runner.llama.library import LOG, lib, start_failure
from puna.runner.llama.model import Model
from puna.runner.llama.params import apply_adapters, make_params
from puna.runner.llama.state import Scratch, read_narrowed, read_state, read_widened, write_state
from puna.runner.protocol import LoadPlan

__all__ = ["Demand", "Streams"]

log = logging.getLogger(__name__)

MOST = 16  # streams: more share too little of the memory for each
_MOST_TOKENS = 256  # in a decode
_BLOCK = 256  # cells
_BESIDE = 256  # cells of others: beside fewer, on average, the pool is as good
_ROOM = 64  # cells that a sequence must find for words to come
_SOME = 10_000  # looks: to save fewer is not worth the trouble
_MOVE = 12  # looks that moving a cell from one context to the other takes the time of
_ANOTHER_RUN = 2_500
"""Looks that another run of the layers costs, for each thread: threads share looks, and wait
together for the weights."""
_DEAREST_RUN = 20_000  # looks
_PART_OF_FREE = 0.5  # of the memory that is free, which the cells may take
_USUAL = 4  # streams at least where nobody needs them yet,
_ROOMY = 1 << 29  # and twice as many, of twice the pool's cells, which take no more bytes than this
_PART_AHEAD, _MOST_AHEAD = 0.125, 1 << 30
"""Of the memory that is free, and bytes: what cells may take that nobody needs yet. To make so many
takes half a second."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a sequence has in a decode: `count` tokens, the first at `position`, of which the last
    `n_logits` get logits."""

    sequence: int
    position: int
    count: int
    n_logits: int


@dataclass(slots=True)
class _Guest:
    """A sequence of the pool that is here. The pool has the first `settled` of its tokens."""

    stream: int
    length: int
    settled: int
    is_whole: bool = True
    """Whether the tokens that the pool has are here as well."""


class Streams:
    """The context with streams. It is made when needed, if not before, and again where more are: in
    a thread of its own, as that takes as long as many words. All are in the pool until it is there.
    """

    def __init__(
        self,
        model: Model,
        plan: LoadPlan,
        n_threads: int,
        n_cells: int,
        cells_size: int,
        pool: Any,
        spare: int,
        scratch: Scratch,
    ) -> None:
        """`pool` is libllama's pointer to the pool of `n_cells`, which are `cells_size` bytes
        together, `spare` a sequence of it that is nobody's when no call of this runs, `scratch`
        for what moves."""
        self._model = model
        self._plan = plan
        self._n_threads = n_threads
        self._n_cells = n_cells
        self._cells_size = cells_size
        self._pool = pool
        self._spare = spare
        self._scratch = scratch
        self._is_usable = not model.is_stretched
        self._times = 2 if 2 * cells_size <= _ROOMY else 1  # as many cells as the pool, at most
        self._count = self._size = 0  # of the streams, and cells of each
        self._guests: dict[int, _Guest] = {}
        self._looks = 0  # at others' cells, by sequences that might be here
        self._lookers: set[int] = set()  # those
        self._run = min(_DEAREST_RUN, _ANOTHER_RUN * n_threads)  # looks that one costs
        self._lost = 0  # looks that gaps between the streams in use have cost
        self._maker: Executor = ThreadPoolExecutor(1, "streams")  # its thread comes when needed
        self._making: Future[Any] | None = None  # a context of the shape that is noted already
        self.handle: Any = None
        """libllama's pointer, None before it is needed."""

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._guests

    def stream_of(self, sequence: int) -> int:
        """The number that a sequence has here. The layers run once for neighbours that come in this
        order and have as many tokens."""
        return self._guests[sequence].stream

    def prepare(self) -> bool:
        """Make the context before it is needed, where it takes little of the memory; False when it
        is there already, or cannot be."""
        count = min(MOST, _power_of_two(max(_USUAL * self._times, self._plan.n_parallel)))
        size = self._longest(count)
        if self.handle or self._making or not size or not self._is_usable:
            return False
        self._scratch.prepare(size * self._cells_size // self._n_cells)
        return self._reopen(count, size, _PART_AHEAD, _MOST_AHEAD) and self._is_there(wait=True)

    def enter(self, demands: Sequence[Demand], n_used: int, n_runs: int, saved: int = 0) -> bool:
        """Whether these, which is everybody who gets logits, go on here; then they are here.

        `n_used` cells of the pool are in use, and the layers run `n_runs` times for others, who
        save `saved` looks if these go. The pool must have all cells of those that are not here yet.
        """
        if not self._is_there():
            return False
        gain = self._gain(demands, n_used, n_runs) + saved
        shape = self._shape(demands) if gain > 0 else None
        if shape is None:
            self._looks = 0
            return False
        missing = [each for each in demands if not self._holds(each)]
        if not missing and shape == (self._count, self._size):
            self._close_ranks(demands)
            return True
        if len(missing) == len(demands):
            self._note_looks(demands, gain)
            to_load = sum(each.position for each in missing)
            if len(demands) == 1 or self._looks <= _SOME + to_load * _MOVE:
                return False
        self._looks = 0
        return self._admit(demands, shape)

    def note(self, demands: Sequence[Demand]) -> None:
        """These were decoded here."""
        for each in demands:
            self._guests[each.sequence].length = each.position + each.count

    def undo(self, demands: Sequence[Demand]) -> None:
        """The decode of these failed: they are as before."""
        for each in demands:
            stream = self._guests[each.sequence].stream
            lib.llama_memory_seq_rm(self._memory, stream, each.position, -1)

    def leave(self, sequence: int) -> bool:
        """Give the pool what it does not have of a sequence, which is not here then; False, and
        nothing lost, when the pool has no room."""
        guest = self._guests.get(sequence)
        if guest is not None:
            if guest.length > guest.settled and not self._move(sequence, guest):
                return False
            del self._guests[sequence]
        return True

    def settle(self) -> bool:
        """Let all leave; False when the pool has no room for one."""
        return all(self.leave(each) for each in list(self._guests))

    def remove(self, sequence: int, start: int) -> None:
        """The sequence gives up its tokens from `start` on."""
        guest = self._guests.get(sequence)
        if guest is not None and start < guest.length:
            lib.llama_memory_seq_rm(self._memory, guest.stream, start, -1)
            guest.length = start
            guest.settled = min(guest.settled, start)

    def forget(self, sequence: int) -> None:
        """What is here of this sequence is of no use any more."""
        self._guests.pop(sequence, None)
        self._lookers.discard(sequence)

    def close(self) -> None:
        """Free the context. Idempotent."""
        self._is_there(wait=True)
        self._maker.shutdown()
        _free(self.handle)
        self.handle = None
        self._count = self._size = 0
        self._guests.clear()

    @property
    def _memory(self) -> Any:
        return lib.llama_get_memory(self.handle)

    def _holds(self, demand: Demand) -> bool:
        guest = self._guests.get(demand.sequence)
        return guest is not None and guest.is_whole and guest.length == demand.position

    def _gain(self, demands: Sequence[Demand], n_used: int, n_runs: int) -> int:
        """Looks that are saved here, less what the layers' further runs cost: here they run once
        for each number of tokens."""
        tokens = sum(each.count for each in demands)
        others = sum(each.count * (n_used - each.position - each.count) for each in demands)
        runs = n_runs + len({each.count for each in demands}) - 1
        return others - tokens * _BESIDE - runs * self._run

    def _note_looks(self, demands: Sequence[Demand], gain: int) -> None:
        """Add up what these pay in the pool; what others have paid, who are gone, is no reason to
        move them."""
        present = {each.sequence for each in demands}
        if self._lookers.isdisjoint(present):
            self._looks = 0
        self._lookers = present
        self._looks += gain

    def _shape(self, demands: Sequence[Demand]) -> tuple[int, int] | None:
        """How many streams of how many cells these need; None when there are none such."""
        tokens = sum(each.count for each in demands)
        if not self._is_usable or len(demands) > MOST or tokens > _MOST_TOKENS:
            return None
        longest = max(
            each.position + each.count + (0 if self._holds(each) else _ROOM) for each in demands
        )
        if len(demands) <= self._count and longest <= self._size:
            return self._count, self._size
        count = _power_of_two(len(demands))
        size = self._longest(count)
        return (count, size) if longest <= size else None

    def _longest(self, count: int) -> int:
        """Cells of each of so many streams, 0 where there are too few."""
        return min(self._plan.n_ctx, self._times * self._n_cells // count) // _BLOCK * _BLOCK

    def _admit(self, demands: Sequence[Demand], shape: tuple[int, int]) -> bool:
        """Make a place for everybody, and load those who are not here."""
        present = {each.sequence for each in demands}
        if shape != (self._count, self._size):
            if not self._reopen(*shape, _PART_OF_FREE):
                return False
            self._looks, self._lookers = sys.maxsize, set(present)  # they come as soon as they can
        if not self._is_there():
            return False
        self._looks = 0
        for each in [each for each in demands if not self._holds(each)]:
            self.forget(each.sequence)
            stream = self._free_stream(present)
            if stream is None or not self._load(each, stream):
                return False
        return True

    def _free_stream(self, present: set[int]) -> int | None:
        """A stream that nobody of those `present` has; None when whose it is cannot leave."""
        held = {guest.stream for each, guest in self._guests.items() if each in present}
        stream = next(each for each in range(self._count) if each not in held)
        return stream if self._vacate(stream) else None

    def _vacate(self, stream: int) -> bool:
        """Let whoever has a stream leave; False when that cannot be."""
        owner = next((each for each, guest in self._guests.items() if guest.stream == stream), None)
        return owner is None or self.leave(owner)

    def _close_ranks(self, demands: Sequence[Demand]) -> None:
        """Fill gaps between these, once the further runs of the layers that gaps cause have cost as
        much as it does: by the one whose stream comes last."""
        streams = {self._guests[each.sequence].stream: each for each in demands}
        gaps = [each for each in range(min(streams), max(streams)) if each not in streams]
        if not gaps:
            self._lost = 0
            return
        last = streams[max(streams)]
        n_runs = sum(each + 1 not in streams for each in streams)
        self._lost += (n_runs - 1) * self._run
        if self._lost > last.position * _MOVE:
            self._lost = 0
            self._change(last.sequence, gaps[0])

    def _change(self, sequence: int, stream: int) -> None:
        """Let a sequence go on in another stream."""
        guest = self._guests[sequence]
        if not self._vacate(stream):
            return
        state = read_state(self.handle, guest.stream, self._scratch)
        lib.llama_memory_seq_rm(self._memory, stream, -1, -1)
        if write_state(self.handle, stream, state):
            lib.llama_memory_seq_rm(self._memory, guest.stream, -1, -1)
            guest.stream = stream

    def _reopen(self, count: int, size: int, part: float, most: int = sys.maxsize) -> bool:
        """Begin to make the context anew in another shape; False when that cannot be, or its cells
        would take more than a `part` of the memory that is free, or `most` bytes."""
        if not self.settle():
            return False
        needed, had = self._bytes(count, size), self._bytes(self._count, self._size)
        free = available_memory()
        if needed > most or (free is not None and needed > (free + had) * part):
            return False
        old, self.handle = self.handle, None
        self._guests.clear()
        self._count, self._size = count, size
        self._making = self._maker.submit(self._make, old, count, size)
        return True

    def _bytes(self, count: int, size: int) -> int:
        return count * size * self._cells_size // self._n_cells

    def _is_there(self, *, wait: bool = False) -> bool:
        """False while a context is made, and where none could be."""
        if self._making is None:
            return True
        if not (wait or self._making.done()):
            return False
        making, self._making = self._making, None
        try:
            self.handle = making.result()
        except EngineError as error:
            log.warning("sequences cannot be computed each for itself: %s", error)
            self._count = self._size = 0
            self._is_usable = False
        return self._is_usable

    def _make(self, old: Any, count: int, size: int) -> Any:
        """libllama's pointer to a new context instead of the old one. Runs in a thread."""
        _free(old)
        params = make_params(self._plan, self._n_threads)
        params.kv_unified = False
        params.n_ctx, params.n_seq_max = count * size, count
        params.n_batch = params.n_ubatch = _MOST_TOKENS
        with LOG.part("streams"):
            LOG.forget_part("streams")
            handle = lib.llama_init_from_model(self._model.handle, params) or None
            if handle is None:
                raise start_failure("failed to create a context of streams")
            apply_adapters(handle, self._model, self._plan.adapters)
        return handle

    def _load(self, demand: Demand, stream: int) -> bool:
        """Copy what the pool has of a sequence."""
        lib.llama_memory_seq_rm(self._memory, stream, -1, -1)
        if demand.position:
            state = read_widened(self._pool, demand.sequence, self._count, self._scratch)
            if not write_state(self.handle, stream, state):
                return False
        self._guests[demand.sequence] = _Guest(stream, demand.position, demand.position)
        return True

    def _move(self, sequence: int, guest: _Guest) -> bool:
        """Give the pool what is new. The rest is not here any more then: a sequence cannot be
        continued after it."""
        guest.is_whole = False
        if guest.settled:
            lib.llama_memory_seq_rm(self._memory, guest.stream, 0, guest.settled)
        state = read_narrowed(self.handle, guest.stream, self._count, self._scratch)
        if not write_state(self._pool, self._spare, state):
            return False
        pool = lib.llama_get_memory(self._pool)
        lib.llama_memory_seq_cp(pool, self._spare, sequence, guest.settled, guest.length)
        lib.llama_memory_seq_rm(pool, self._spare, -1, -1)
        return True


def _free(handle: Any) -> None:
    if handle:
        lib.llama_free(handle)


def _power_of_two(least: int) -> int:
    """The first that is not less, 2 at least."""
    return max(2, 1 << (least - 1).bit_length())
