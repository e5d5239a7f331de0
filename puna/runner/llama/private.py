"""A context of its own for one sequence at a time, away from the cells of others.

On processors the engine's attention looks, for every token, at every cell of the pool, if only to
see that it is another sequence's, and divides the pool between its threads as if all cells were
equally much work. Beside 8,000 cells of others a 1B model takes half as long again for a prompt,
and beside 4,000 a 100M model half as long again for every token of an answer. Computed alone and
moved to the pool, which costs a thousandth of reading it, a sequence pays for its own cells only.

A prompt that others' answers must not wait for is read here piece by piece, each moved at once. A
sequence that nobody runs beside stays for its answer, and the pool gets what is new later: before
anybody else needs it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from puna.errors import EngineError
from puna.runner.llama.library import LOG, lib, start_failure
from puna.runner.llama.model import Model
from puna.runner.llama.params import apply_adapters, make_params
from puna.runner.llama.state import Scratch, read_state, write_state
from puna.runner.llama.tokens import TokenBatch
from puna.runner.protocol import LoadPlan

__all__ = ["OWN", "PrivateContext"]

log = logging.getLogger(__name__)

OWN = 0
"""The number that the sequence has in this context."""

_PART = 1  # the number of its newest piece, while that moves
_LEAST = 32  # tokens: smaller pieces ride in the pool's decode at little cost
_ANOTHER_RUN = 100_000  # looks at others' cells: what another run of the layers costs
_SOME = 10_000  # looks: to save fewer is not worth the trouble
_BESIDE = 256  # cells of others: beside fewer the pool is as good
_MOVE = 12  # looks that moving a cell from one context to the other takes the time of


class PrivateContext:
    """The second context, with room for one sequence. It is made when needed, if not before."""

    def __init__(
        self,
        model: Model,
        plan: LoadPlan,
        n_threads: int,
        n_batch: int,
        pool: Any,
        spare: int,
        scratch: Scratch,
    ) -> None:
        """`pool` is libllama's pointer to the context that the cells go to; `spare` a sequence of
        it that nobody else uses; `scratch` for what moves."""
        self._model = model
        self._plan = plan
        self._n_threads = n_threads
        self._pool = pool
        self._spare = spare
        self._scratch = scratch
        self._is_usable = True
        self._batch = TokenBatch(n_batch)
        self.handle: Any = None
        """libllama's pointer, None before it is needed."""
        self._sequence = -1  # of the pool, that is here as OWN
        self._length = 0  # tokens of it that are here
        self._settled = 0  # tokens of those that the pool has too
        self._suitor, self._looks = -1, 0  # who ran alone in the pool, and what that cost

    def prepare(self) -> bool:
        """Make the context before it is needed; False when it is there already, or cannot be."""
        return self.handle is None and self._is_open()

    def pays(
        self, sequence: int, position: int, n_tokens: int, n_used: int, *, only: bool = False
    ) -> bool:
        """Whether to read `n_tokens` here beside a decode in the pool, which has `n_used` cells.

        With `only` there is none but for what is not read here: the layers run as often anyway.
        """
        is_worth_it = self.would_pay(sequence, position, n_tokens, n_used, only=only)
        return is_worth_it and self._is_open()

    def would_pay(
        self, sequence: int, position: int, n_tokens: int, n_used: int, *, only: bool = False
    ) -> bool:
        """As `pays`, without making the context for the answer."""
        to_load = 0 if self._holds(sequence, position) else position
        looks = n_tokens * (n_used - position)
        return (
            n_tokens >= (1 if only else _LEAST)
            and looks > (0 if only else _ANOTHER_RUN) + (2 * n_tokens + to_load) * _MOVE
            and position + n_tokens <= self._plan.n_ctx
            and self._is_usable
        )

    def read(self, sequence: int, position: int, tokens: Sequence[int]) -> bool:
        """Compute tokens of a sequence, the first at `position`, and put them into the pool.

        False, and nothing in the pool, when there is no room. Raises EngineError when it fails.
        """
        if not self._holds(sequence, position) and not self._load(sequence, position):
            return False
        step = len(self._batch)
        for start in range(0, len(tokens), step):
            self._batch.count = 0
            self._batch.add(OWN, position + start, tokens[start : start + step], logits=0)
            self.decode(self._batch)
        return self.settle()

    def enter(self, sequence: int, position: int, n_tokens: int, n_used: int) -> bool:
        """Whether a sequence that runs alone is to go on here; then it is here.

        One that begins in the pool comes when looking at others' cells has cost as much as moving
        would: whenever it ends, at most twice the least was paid.
        """
        others = max(0, n_used - position)
        if position + n_tokens > self._plan.n_ctx:
            return False
        if self._holds(sequence, position):
            return others >= _BESIDE
        if sequence != self._suitor:
            self._suitor, self._looks = sequence, 0
        self._looks += n_tokens * others
        return (
            self._looks > _SOME + position * _MOVE
            and self._is_open()
            and self._load(sequence, position)
        )

    def decode(self, batch: TokenBatch) -> None:
        """Compute tokens of OWN that follow those that are here. Raises EngineError."""
        code = lib.llama_decode(self.handle, batch.struct())
        if code:
            self.forget(self._sequence)
            raise EngineError(
                f"an error was encountered while running the model: decode failed ({code}) "
                f"{LOG.errors}"
            )
        self._length += batch.count

    def settle(self) -> bool:
        """Give the pool what it does not have yet; False when it has no room."""
        if self._settled < self._length:
            if not self._move(self._sequence, self._settled, self._length):
                return False
            self._settled = self._length
        return True

    def pass_on(self, source: int, target: int, length: int) -> None:
        """The pool's sequence `target` begins with the first `length` cells of `source`, or all
        of them with -1: what is here of those is the target's from now on. Settle before."""
        if source == self._sequence:
            if length >= 0:
                self.remove(source, length)
            self._sequence = target

    def remove(self, sequence: int, start: int) -> None:
        """The sequence gives up its tokens from `start` on."""
        if sequence == self._sequence and start < self._length:
            lib.llama_memory_seq_rm(lib.llama_get_memory(self.handle), OWN, start, -1)
            self._length = start
            self._settled = min(self._settled, start)

    def forget(self, sequence: int) -> None:
        """What is here of this sequence is of no use any more."""
        if sequence == self._sequence:
            self._sequence, self._length, self._settled = -1, 0, 0
        if sequence == self._suitor:
            self._suitor = -1

    def close(self) -> None:
        """Free the context. Idempotent."""
        if self.handle:
            lib.llama_free(self.handle)
        self.handle, self._is_usable = None, False

    def _holds(self, sequence: int, position: int) -> bool:
        return (sequence, position) == (self._sequence, self._length)

    def _is_open(self) -> bool:
        if self.handle is None and self._is_usable:
            try:
                with LOG.part("private"):
                    self._open()
            except EngineError as error:
                log.warning("a sequence cannot be computed apart: %s", error)
                self.close()
        return self._is_usable

    def _open(self) -> None:
        params = make_params(self._plan, self._n_threads)
        params.n_ctx = self._plan.n_ctx
        params.n_batch = len(self._batch)
        params.n_ubatch = min(len(self._batch), 512)
        params.n_seq_max = 2
        self.handle = lib.llama_init_from_model(self._model.handle, params) or None
        if self.handle is None:
            raise start_failure("failed to create a second context")
        apply_adapters(self.handle, self._model, self._plan.adapters)

    def _load(self, sequence: int, length: int) -> bool:
        """Copy what the pool has of the sequence, all of which must be in the pool."""
        if not self.settle():
            return False
        self.forget(self._sequence)
        lib.llama_memory_seq_rm(lib.llama_get_memory(self.handle), OWN, -1, -1)
        if length:
            state = read_state(self._pool, sequence, self._scratch)
            if not write_state(self.handle, OWN, state):
                return False
        self._sequence, self._length, self._settled = sequence, length, length
        return True

    def _move(self, sequence: int, start: int, end: int) -> bool:
        """Copy tokens from `start` to `end` to the pool's sequence."""
        memory = lib.llama_get_memory(self.handle)
        lib.llama_memory_seq_cp(memory, OWN, _PART, start, end)
        state = read_state(self.handle, _PART, self._scratch)
        lib.llama_memory_seq_rm(memory, _PART, -1, -1)
        if not write_state(self._pool, self._spare, state):
            return False
        pool = lib.llama_get_memory(self._pool)
        lib.llama_memory_seq_cp(pool, self._spare, sequence, start, end)
        lib.llama_memory_seq_rm(pool, self._spare, -1, -1)
        return True
