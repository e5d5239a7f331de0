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
        self._sequence_pointers = _pointers_into(self._sequences)
        self._struct = lib.llama_batch()
        self._struct.token = _pointer(self._tokens, lib.llama_token)
        self._struct.pos = _pointer(self._positions, lib.llama_pos)
        self._struct.n_seq_id = _pointer(self._one_each, ctypes.c_int32)
        self._struct.seq_id = ctypes.cast(self._sequence_pointers, type(self._struct.seq_id))
        self._struct.logits = _pointer(self._logits, ctypes.c_int8)

    def __len__(self) -> int:
        """How many tokens there is room for."""
        return len(self._tokens)

    def add(self, sequence: int, position: int, tokens: Sequence[int], *, logits: int) -> int:
        """See Context.add."""
        start, end = self.count, self.count + len(tokens)
        if end - start == 1:  # the usual case, a few times as fast without slices
            self._tokens[start], self._positions[start] = tokens[0], position
            self._sequences[start], self._logits[start] = sequence, logits
        else:
            self._tokens[start:end] = tokens
            self._positions[start:end] = np.arange(position, position + len(tokens))
            self._sequences[start:end] = sequence
            self._logits[start : end - logits] = 0
            self._logits[end - logits : end] = 1
        self.count = end
        return end - logits

    def struct(self) -> Any:
        """What libllama reads. Valid until the next `add`."""
        self._struct.n_tokens = self.count
        return self._struct


def _pointer(array: npt.NDArray[Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))


def _pointers_into(sequences: npt.NDArray[np.int32]) -> Any:
    """For each element a pointer to it."""
    base, width = sequences.ctypes.data, sequences.itemsize
    kind = ctypes.POINTER(lib.llama_seq_id)
    return (kind * len(sequences))(
        *(ctypes.cast(base + width * i, kind) for i in range(len(sequences)))
    )
