"""A context for embeddings as arithmetic: a vector is a function of its tokens and their places.

It stands for libllama's pooled context in tests of the embedder. A rule that is broken is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from puna.errors import EngineError
from puna.runner.llama.model import Pooling

__all__ = ["FakeClockNs", "FakePooled", "vector_of"]

Vector = npt.NDArray[np.float32]


def _rows(tokens: Sequence[int], start: int = 0) -> Vector:
    places = range(start, start + len(tokens))
    return np.array(
        [(token, place, token * place) for token, place in zip(tokens, places, strict=True)],
        np.float32,
    )


def _pool(pooling: Pooling, rows: Vector) -> Vector:
    wanted = {Pooling.MEAN: rows, Pooling.CLS: rows[:1]}.get(pooling, rows[-1:])
    return np.asarray(wanted.mean(axis=0), np.float32)


def vector_of(tokens: Sequence[int], pooling: Pooling) -> Vector:
    """What an input gives when it is read alone and at once."""
    return _pool(pooling, _rows(tokens))


class FakeClockNs:
    """Time that passes only while something is read."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


class FakePooled:
    """`decodes` are the tokens of each decode so far, `failing` says which input breaks one."""

    def __init__(
        self,
        n_ctx: int,
        n_batch: int,
        n_sequences: int,
        pooling: Pooling,
        *,
        may_split: bool,
        clock: FakeClockNs | None = None,
        token_ns: int = 1,
        failing: Callable[[Sequence[int]], bool] = lambda tokens: False,
    ) -> None:
        self.n_ctx = n_ctx
        self.n_batch = n_batch
        self.n_sequences = n_sequences
        self.pooling = pooling
        self.may_split = may_split
        self.decodes: list[int] = []
        self.cells: dict[int, int] = {}
        self._clock = clock or FakeClockNs()
        self._token_ns = token_ns
        self._failing = failing
        self._batch: dict[int, tuple[int, list[int]]] = {}
        self._vectors: dict[int, Vector] = {}

    def begin(self) -> None:
        self._batch = {}

    def add(self, sequence: int, position: int, tokens: Sequence[int]) -> None:
        assert sequence not in self._batch, "pooling does not reach over parts"
        assert 0 <= sequence < self.n_sequences
        assert position == self.cells.get(sequence, 0), "a hole, or cells left of another input"
        assert self.may_split or position == 0
        self._batch[sequence] = position, list(tokens)

    def decode(self) -> None:
        counts = [len(tokens) for _, tokens in self._batch.values()]
        assert all(counts)
        assert 0 < sum(counts) <= self.n_batch
        for sequence, (position, tokens) in self._batch.items():
            if self._failing(tokens):
                raise EngineError("broken")
            self.cells[sequence] = position + len(tokens)
            self._vectors[sequence] = _pool(self.pooling, _rows(tokens, position))
        assert sum(self.cells.values()) <= self.n_ctx + self.n_batch
        self.decodes.append(sum(counts))
        self._clock.now += sum(counts) * self._token_ns

    def vector(self, sequence: int) -> Vector:
        return self._vectors[sequence]

    def forget(self, sequences: Sequence[int]) -> None:
        for sequence in sequences:
            self.cells.pop(sequence, None)
