"""The tokens of one decode, as libllama reads them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from puna.runner.llama.library import lib

__all__ = ["TokenBatch"]


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
