"""Reading prompts in a context of their own, away from the cells of others.

On processors the engine's attention looks, for every token, at every cell of the pool, if only to
see that it is another sequence's. Beside 8,000 cells of others a 1B model takes half as long again
for a prompt. Computed alone and moved to the pool, which costs a thousandth of that, a prompt pays
for its own cells only.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from puna.errors import EngineError
from puna.runner.llama.library import LOG, lib
from puna.runner.llama.model import Model
from puna.runner.llama.params import apply_adapters, make_params
from puna.runner.llama.state import read_state, write_state
from puna.runner.llama.tokens import TokenBatch
from puna.runner.protocol import LoadPlan

__all__ = ["Prefill"]

log = logging.getLogger(__name__)

_N_BATCH = 512
_LEAST = 32  # tokens: smaller pieces ride in the pool's decode at little cost
_LOOKS = 100_000  # at others' cells: to save fewer does not pay for another run of the layers
_MOVE = 32  # looks that moving a cell from one context to the other takes the time of
_OWN, _PART = 0, 1  # sequences: the prompt that is being read, and its newest piece


class Prefill:
    """The second context. It has room for one prompt at a time, and is made when first needed."""

    def __init__(self, model: Model, plan: LoadPlan, n_threads: int, pool: Any, spare: int) -> None:
        """`pool` is libllama's pointer to the context that the cells go to; `spare` a sequence of
        it that nobody else uses."""
        self._model = model
        self._plan = plan
        self._n_threads = n_threads
        self._pool = pool
        self._spare = spare
        self._handle: Any = None
        self._is_usable = True
        self._sequence, self._length = -1, 0  # of the pool, that _OWN is a copy of
        self._batch = TokenBatch(_N_BATCH)

    def pays(self, sequence: int, position: int, n_tokens: int, n_used: int) -> bool:
        """Whether to read `n_tokens` here, with `n_used` cells of the pool in use."""
        to_load = 0 if self._holds(sequence, position) else position
        looks = n_tokens * (n_used - position)
        return (
            n_tokens >= _LEAST
            and looks > _LOOKS + (2 * n_tokens + to_load) * _MOVE
            and position + n_tokens <= self._plan.n_ctx
            and self._is_open()
        )

    def read(self, sequence: int, position: int, tokens: Sequence[int]) -> bool:
        """Compute tokens of a sequence, the first at `position`, and put them into the pool.

        False, and nothing in the pool, when there is no room. Raises EngineError when it fails.
        """
        if not self._holds(sequence, position) and not self._load(sequence, position):
            return False
        self._sequence = -1
        for start in range(0, len(tokens), _N_BATCH):
            self._compute(position + start, tokens[start : start + _N_BATCH])
        end = position + len(tokens)
        if not self._move(sequence, position, end):
            return False
        self._sequence, self._length = sequence, end
        return True

    def forget(self, sequence: int) -> None:
        """The pool's cells of this sequence are no longer what was read here."""
        if sequence == self._sequence:
            self._sequence = -1

    def close(self) -> None:
        """Free the context. Idempotent."""
        if self._handle:
            lib.llama_free(self._handle)
        self._handle, self._is_usable = None, False

    def _holds(self, sequence: int, position: int) -> bool:
        return (sequence, position) == (self._sequence, self._length)

    def _is_open(self) -> bool:
        if self._handle is None and self._is_usable:
            params = make_params(self._plan, self._n_threads)
            params.n_ctx = self._plan.n_ctx
            params.n_batch = params.n_ubatch = _N_BATCH
            params.n_seq_max = 2
            self._handle = lib.llama_init_from_model(self._model.handle, params) or None
            if self._handle is None:
                log.warning("no memory to read prompts apart: %s", LOG.errors)
                self._is_usable = False
            else:
                apply_adapters(self._handle, self._model, self._plan.adapters)
        return self._is_usable

    def _load(self, sequence: int, length: int) -> bool:
        """Copy what the pool has of the sequence."""
        self._sequence = -1
        if length:
            return write_state(self._handle, _OWN, read_state(self._pool, sequence))
        return bool(lib.llama_memory_seq_rm(lib.llama_get_memory(self._handle), _OWN, -1, -1))

    def _compute(self, position: int, tokens: Sequence[int]) -> None:
        self._batch.count = 0
        self._batch.add(_OWN, position, tokens, logits=0)
        code = lib.llama_decode(self._handle, self._batch.struct())
        if code:
            raise EngineError(f"reading a prompt failed ({code}) {LOG.errors}")

    def _move(self, sequence: int, start: int, end: int) -> bool:
        """Copy the newest piece to the pool's sequence."""
        memory = lib.llama_get_memory(self._handle)
        lib.llama_memory_seq_cp(memory, _OWN, _PART, start, end)
        state = read_state(self._handle, _PART)
        lib.llama_memory_seq_rm(memory, _PART, -1, -1)
        if not write_state(self._pool, self._spare, state):
            return False
        pool = lib.llama_get_memory(self._pool)
        lib.llama_memory_seq_cp(pool, self._spare, sequence, start, end)
        lib.llama_memory_seq_rm(pool, self._spare, -1, -1)
        return True
