"""A second context over a model's weights, which makes one vector of each sequence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from puna.errors import BadRequest, EngineError
from puna.gguf.split import read_joined
from puna.runner.llama.library import LOG, lib, start_failure
from puna.runner.llama.model import Model, Pooling
from puna.runner.llama.params import apply_adapters, make_params
from puna.runner.llama.tokens import TokenBatch
from puna.runner.protocol import LoadPlan

__all__ = ["PooledContext", "Vector"]

Vector = npt.NDArray[np.float32]

_BATCH = 512  # tokens: every one of them may cost a row as wide as the vocabulary
_BATCH_AHEAD = 2048  # tokens, where an input must be read in one go
_SEQUENCES = 64


class PooledContext:
    """Decodes inputs of many sequences, one vector each. Not thread-safe: one owner."""

    def __init__(self, model: Model, plan: LoadPlan, n_threads: int) -> None:
        """Allocate it. Raises StartFailed, OutOfMemory, or BadRequest where there is no way."""
        if model.has_encoder and model.has_decoder:
            raise BadRequest("this model does not support embeddings")
        LOG.forget_errors()
        # the reference takes the last token's vector of a model that names no pooling
        self.pooling = model.pooling or Pooling.LAST
        self.n_ctx = min(plan.n_ctx, model.n_ctx_train or plan.n_ctx)
        """Tokens that one input may have."""
        default = _BATCH_AHEAD if model.looks_ahead else _BATCH
        self.n_batch = min(plan.n_batch or default, self.n_ctx)
        """Tokens that one decode takes."""
        alone = model.is_recurrent or (self.pooling is Pooling.RANK and not _has_head(plan.weights))
        self.n_sequences = 1 if alone else min(_SEQUENCES, self.n_batch)
        """Inputs that one decode takes."""
        with LOG.part("embedding"):
            self._handle = lib.llama_init_from_model(model.handle, self._params(plan, n_threads))
        if not self._handle:
            raise start_failure("failed to create the context for embeddings")
        apply_adapters(self._handle, model, plan.adapters)
        self._memory = lib.llama_get_memory(self._handle)
        self.may_split = bool(self._memory and lib.llama_get_causal_attn(self._handle))
        """Whether an input may be read in several decodes: no token sees those after it."""
        self._length = model.n_scores if self.pooling is Pooling.RANK else model.n_vector
        self._batch = TokenBatch(self.n_batch)

    def _params(self, plan: LoadPlan, n_threads: int) -> Any:
        params = make_params(plan, n_threads)
        params.embeddings = True
        params.pooling_type = int(self.pooling)
        params.n_ctx = self.n_ctx + self.n_batch  # one long input, and a batch of others beside it
        # what one decode takes is computed in one go: pooling does not reach over parts
        params.n_batch = params.n_ubatch = self.n_batch
        params.n_seq_max = self.n_sequences
        return params

    def begin(self) -> None:
        """Start an empty batch."""
        self._batch.count = 0

    def add(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        """Put tokens of a sequence into the batch, the first at `position`."""
        self._batch.add(sequence, position, tokens, logits=len(tokens))

    def decode(self) -> None:
        """Compute the batch. Raises EngineError."""
        LOG.forget_errors()
        code = lib.llama_decode(self._handle, self._batch.struct())
        if code:
            raise EngineError(f"the model failed to make embeddings ({code}) {LOG.errors}")

    def vector(self, sequence: int) -> Vector:
        """What the batch's tokens of a sequence give. Valid until the next decode."""
        pointer = lib.llama_get_embeddings_seq(self._handle, sequence)
        if not pointer:
            raise EngineError("the model gave no embedding")
        return np.ctypeslib.as_array(pointer, shape=(self._length,))

    def forget(self, sequences: Sequence[int]) -> None:
        """Free the cells of sequences."""
        for sequence in sequences if self._memory else ():
            lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def close(self) -> None:
        """Free the context."""
        lib.llama_free(self._handle)
        self._handle = None


def _has_head(paths: Sequence[str]) -> bool:
    """Whether the model turns a sequence's vector into scores.

    Where it does not, libllama mixes up the sequences of a decode: it takes a row of its result to
    be as wide as the scores.
    """
    try:
        tensors = read_joined([Path(path) for path in paths]).tensors
    except OSError:  # the file went away after the load; to assume none is always right
        return False
    return any(tensor.name == "cls.output.weight" for tensor in tensors)
