"""The tokens of one decode, as libllama reads them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from puna.runner.llama.library import lib

__all__ = ["TokenBatch", "vector_batch"]


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


def vector_batch(
    sequence: int, vectors: npt.NDArray[np.float32], places: npt.NDArray[np.int32], *, logits: bool
) -> tuple[Any, list[Any]]:
    """A llama_batch of vectors instead of tokens, the last with logits or none; and what must live
    as long as it is used.

    Shapes: vectors (count, width), places (positions of a token, count); float32 and int32.
    """
    count = len(vectors)
    vectors, places = np.ascontiguousarray(vectors), np.ascontiguousarray(places)
    sequences, one_each = np.full(count, sequence, np.int32), np.ones(count, np.int32)
    wanted = np.zeros(count, np.int8)
    wanted[-1] = logits
    pointers = _pointers_into(sequences)
    batch = lib.llama_batch()
    batch.n_tokens = count
    batch.embd = _pointer(vectors, ctypes.c_float)
    batch.pos = _pointer(places, lib.llama_pos)
    batch.n_seq_id = _pointer(one_each, ctypes.c_int32)
    batch.seq_id = ctypes.cast(pointers, type(batch.seq_id))
    batch.logits = _pointer(wanted, ctypes.c_int8)
    return batch, [vectors, places, sequences, one_each, wanted, pointers]


def _pointer(array: npt.NDArray[Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))


def _pointers_into(sequences: npt.NDArray[np.int32]) -> Any:
    """For each element a pointer to it."""
    base, width = sequences.ctypes.data, sequences.itemsize
    kind = ctypes.POINTER(lib.llama_seq_id)
    return (kind * len(sequences))(
        *(ctypes.cast(base + width * i, kind) for i in range(len(sequences)))
    )
