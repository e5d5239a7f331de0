"""A context of libllama: the pool of KV cells, and decoding a batch of tokens of many sequences."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from puna.errors import EngineError
from puna.runner.llama.library import LOG, lib, start_failure
from puna.runner.llama.model import Model
from puna.runner.llama.state import read_state, write_state
from puna.runner.protocol import LoadPlan

__all__ = ["Context", "Decoded", "TokenBatch", "apply_adapters", "make_params"]

_KV_TYPES = {"f32": 0, "f16": 1, "bf16": 30, "q8_0": 8, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7}
_DEFAULT_BATCH = 512  # tokens
_STATES = 8  # of models with a state: every sequence costs a whole one, used or not
_HELD_SEQUENCES = 32


class Decoded(Enum):
    """How a decode ended."""

    OK = 0
    NO_CELLS = 1


class Context:
    """One unified pool of cells shared by all sequences of a model. Not thread-safe: one owner."""

    def __init__(self, model: Model, plan: LoadPlan, n_threads: int) -> None:
        """Allocate the pool. Raises StartFailed or OutOfMemory with libllama's words."""
        LOG.forget_errors()
        self.n_live = plan.max_sequences
        """Sequences that may decode together."""
        held = _HELD_SEQUENCES
        if model.is_recurrent:
            self.n_live = min(plan.max_sequences, max(plan.n_parallel, _STATES // 2))
            held = _STATES // 2
        self.n_sequences = min(lib.llama_max_parallel_sequences(), self.n_live + held)
        """Those, and finished ones whose cells are kept."""
        self.n_window = model.n_window
        batch = plan.n_batch or min(_DEFAULT_BATCH, plan.n_ctx)
        self.n_batch = max(batch, self.n_sequences)  # libllama's own demand
        self._handle = lib.llama_init_from_model(model.handle, self._params(plan, n_threads))
        if not self._handle:
            raise start_failure("failed to create the context")
        apply_adapters(self._handle, model, plan.adapters)
        self._memory = lib.llama_get_memory(self._handle)
        self.n_cells = int(lib.llama_n_ctx(self._handle))
        self.can_shift = bool(lib.llama_memory_can_shift(self._memory))
        self.is_asynchronous = LOG.allocated()[1] > 0
        """Whether a graphics card computes while this process goes on."""
        self._n_vocab = model.n_vocab
        self._batch = TokenBatch(self.n_batch)

    def _params(self, plan: LoadPlan, n_threads: int) -> Any:
        params = make_params(plan, n_threads)
        params.n_ctx = plan.n_ctx * plan.n_parallel
        params.n_batch = self.n_batch
        params.n_ubatch = min(self.n_batch, 512)
        params.n_seq_max = self.n_sequences
        return params

    @property
    def has_memory(self) -> bool:
        """False for encoders, which keep nothing between decodes and so cannot continue a text."""
        return bool(self._memory)

    @property
    def handle(self) -> Any:
        """libllama's pointer to the context."""
        return self._handle

    def begin(self) -> None:
        """Start an empty batch."""
        self._batch.count = 0

    def add(self, sequence: int, position: int, tokens: Sequence[int], *, logits: int) -> int:
        """Put tokens of a sequence into the batch, the first at `position`.

        The last `logits` of them get logits; the batch's index of the first that does is returned.
        """
        return self._batch.add(sequence, position, tokens, logits=logits)

    def decode(self) -> Decoded:
        """Compute the batch; where `is_asynchronous`, only begin to: `wait` for the end.

        Raises EngineError when libllama fails.
        """
        LOG.forget_errors()
        code = lib.llama_decode(self._handle, self._batch.struct())
        if code == 0:
            return Decoded.OK
        if code == 1:
            return Decoded.NO_CELLS
        raise EngineError(
            f"an error was encountered while running the model: decode failed ({code}) {LOG.errors}"
        )

    def wait(self) -> None:
        """Return when the batch is computed."""
        lib.llama_synchronize(self._handle)

    def logits(self, index: int) -> npt.NDArray[np.float32]:
        """The raw logits after the batch's token `index`, shape (n_vocab,). Valid until decode."""
        pointer = lib.llama_get_logits_ith(self._handle, index)
        return np.ctypeslib.as_array(pointer, shape=(self._n_vocab,))

    def remove(self, sequence: int, start: int = -1, end: int = -1) -> bool:
        """Drop a sequence's cells in [start, end); False when only all of them can be dropped."""
        return bool(lib.llama_memory_seq_rm(self._memory, sequence, start, end))

    def copy(self, source: int, target: int, length: int) -> None:
        """Let `target` use the first `length` cells of `source`, or all of them with -1."""
        lib.llama_memory_seq_cp(self._memory, source, target, -1 if length < 0 else 0, length)

    def copy_part(self, source: int, target: int, start: int, end: int = -1) -> None:
        """Let `target` use the cells of `source` from position `start` to `end` too."""
        lib.llama_memory_seq_cp(self._memory, source, target, start, end)

    def state(self, sequence: int) -> memoryview:
        """A sequence's cells as bytes; empty when libllama cannot give them."""
        return read_state(self._handle, sequence)

    def restore(self, sequence: int, state: memoryview) -> bool:
        """Give a sequence the cells of `state`, which must come from `state()` unchanged.

        False, and no cells, when there is no room for them.
        """
        return write_state(self._handle, sequence, state)

    def first_position(self, sequence: int) -> int:
        """The first position that every layer still has, -1 when there is none."""
        return int(lib.llama_memory_seq_pos_min(self._memory, sequence))

    def shift(self, sequence: int, start: int, count: int) -> None:
        """Drop `count` cells from position `start` on and move the later ones down."""
        lib.llama_memory_seq_rm(self._memory, sequence, start, start + count)
        lib.llama_memory_seq_add(self._memory, sequence, start + count, -1, -count)

    def close(self) -> None:
        """Free the pool."""
        lib.llama_free(self._handle)
        self._handle = None


def apply_adapters(context: Any, model: Model, paths: Sequence[str]) -> None:
    """Lay LoRA adapters over a context's weights, each at its full strength."""
    if not paths:
        return
    adapters = []
    for path in paths:
        adapter = lib.llama_adapter_lora_init(model.handle, path.encode())
        if not adapter:
            raise start_failure(f"failed to load adapter {path}")
        adapters.append(adapter)
    count = len(adapters)
    handles = (lib.llama_adapter_lora_p_ctypes * count)(*adapters)
    scales = (ctypes.c_float * count)(*([1.0] * count))
    if lib.llama_set_adapters_lora(context, handles, count, scales):
        raise start_failure("failed to apply the adapters")


def make_params(plan: LoadPlan, n_threads: int) -> Any:
    """The parameters that every context of a plan has."""
    params = lib.llama_context_default_params()
    params.kv_unified = True
    params.n_threads = params.n_threads_batch = n_threads
    if plan.flash_attention is not None:
        params.flash_attn_type = (
            lib.LLAMA_FLASH_ATTN_TYPE_ENABLED
            if plan.flash_attention
            else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
    params.type_k = params.type_v = _KV_TYPES.get(plan.kv_type, _KV_TYPES["f16"])
    params.no_perf = True
    return params


class TokenBatch:
    """A llama_batch over arrays of our own, filled by slices instead of element by element."""

    def __init__(self, size: int) -> None:
        """Room for `size` tokens; `count` of them are in it."""
        self.count = 0
        self._tokens = np.zeros(size, np.int32)
        self._positions = np.zeros(size, np.int32)
        self._sequences = np.zeros(size, np.int32)
        self._logits = np.zeros(size, np.int8)
        self._one_each = np.ones(size, np.int32)
        base = self._sequences.ctypes.data
        width = self._sequences.itemsize
        seq_type = ctypes.POINTER(lib.llama_seq_id)
        self._pointers = (seq_type * size)(
            *(ctypes.cast(base + width * i, seq_type) for i in range(size))
        )

    def add(self, sequence: int, position: int, tokens: Sequence[int], *, logits: int) -> int:
        """See Context.add."""
        start, end = self.count, self.count + len(tokens)
        self._tokens[start:end] = tokens
        self._positions[start:end] = np.arange(position, position + len(tokens))
        self._sequences[start:end] = sequence
        self._logits[start : end - logits] = 0
        self._logits[end - logits : end] = 1
        self.count = end
        return end - logits

    def struct(self) -> Any:
        """What libllama reads. Valid until the next `add`."""

        def pointer(array: npt.NDArray[Any], kind: Any) -> Any:
            return array.ctypes.data_as(ctypes.POINTER(kind))

        batch = lib.llama_batch()
        batch.n_tokens = self.count
        batch.token = pointer(self._tokens, lib.llama_token)
        batch.pos = pointer(self._positions, lib.llama_pos)
        batch.n_seq_id = pointer(self._one_each, ctypes.c_int32)
        batch.seq_id = ctypes.cast(self._pointers, type(batch.seq_id))
        batch.logits = pointer(self._logits, ctypes.c_int8)
        return batch
