"""Batches without end: samples are written, encoded and sorted by length in another process.

A step's samples fill several micro-batches of like lengths, so that little is padding. Padding
stands at the end, where causal attention never looks at it.
"""

from __future__ import annotations

import multiprocessing as mp
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty, Full

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.cria.chat import pieces
from training.cria.corpus.mix import sample
from training.cria.tokenizer import CONTEXT, load_tokenizer

__all__ = ["Micro", "Source", "encode", "micros"]

GIVEN_WEIGHT = 0.1  # what the model is not asked to say counts this much in the loss
_PATIENCE = 5.0  # seconds without samples after which it is seen whether the worker lives
_ROUND = 8  # lengths are rounded up to this, so that few shapes occur


@dataclass(frozen=True, slots=True)
class Micro:
    """Token numbers of shape (rows, length + 1) and a loss weight for each target."""

    tokens: NDArray[np.int64]
    weights: NDArray[np.float32]
    samples: int


def encode(tokenizer: Tokenizer, parts: list[tuple[str, bool]]) -> tuple[list[int], list[float]]:
    """Token numbers of a rendered sample and the weight of each in the loss."""
    numbers: list[int] = []
    weights: list[float] = []
    for text, learnt in parts:
        found = tokenizer.encode(text, add_special_tokens=False).ids
        numbers += found
        weights += [1.0 if learnt else GIVEN_WEIGHT] * len(found)
    return numbers, weights


def _drawn(tokenizer: Tokenizer, seed: int, number: int) -> tuple[list[int], list[float]]:
    parts = [(piece.text, piece.learnt) for piece in pieces(sample(seed, number))]
    numbers, weights = encode(tokenizer, parts)
    return numbers[:CONTEXT], weights[:CONTEXT]


def micros(drawn: list[tuple[list[int], list[float]]], most_tokens: int) -> list[Micro]:
    """The samples as micro-batches of at most `most_tokens` tokens, padding included."""
    made: list[Micro] = []
    rows: list[tuple[list[int], list[float]]] = []
    length = 0
    for one in sorted(drawn, key=lambda d: -len(d[0])):
        if rows and (len(rows) + 1) * length > most_tokens:
            made.append(_padded(rows, length))
            rows = []
        if not rows:
            length = -(-(len(one[0]) - 1) // _ROUND) * _ROUND
        rows.append(one)
    made.append(_padded(rows, length))
    return made


def _padded(rows: list[tuple[list[int], list[float]]], length: int) -> Micro:
    tokens = np.zeros((len(rows), length + 1), dtype=np.int64)
    weights = np.zeros((len(rows), length), dtype=np.float32)
    for i, (numbers, each) in enumerate(rows):
        tokens[i, : len(numbers)] = numbers
        weights[i, : len(numbers) - 1] = each[1:]
    return Micro(tokens, weights, len(rows))


def _work(
    out: Queue[tuple[int, list[Micro]]], path: Path, seed: int, first: int, step_tokens: int,
    micro_tokens: int,
) -> None:  # fmt: skip
    tokenizer = load_tokenizer(path)
    number = first
    while True:
        drawn, total = [], 0
        while total < step_tokens:
            drawn.append(_drawn(tokenizer, seed, number))
            total += len(drawn[-1][0])
            number += 1
        _put(out, (number, micros(drawn, micro_tokens)))


def _put(out: Queue[tuple[int, list[Micro]]], step: tuple[int, list[Micro]]) -> None:
    """Wait for room; end with the process that takes the steps, however it ended."""
    parent = mp.parent_process()
    while True:
        try:
            out.put(step, timeout=_PATIENCE)
            return
        except Full:
            if parent is not None and not parent.is_alive():
                out.cancel_join_thread()
                raise SystemExit from None


class Source:
    """Steps of micro-batches from a worker process, from sample number `first` on."""

    def __init__(
        self, path: Path, seed: int, first: int, step_tokens: int, micro_tokens: int
    ) -> None:
        context = mp.get_context("spawn")
        self._queue: Queue[tuple[int, list[Micro]]] = context.Queue(maxsize=8)
        arguments = (self._queue, path, seed, first, step_tokens, micro_tokens)
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()

    def __iter__(self) -> Iterator[tuple[int, list[Micro]]]:
        """The number of the next sample, and a step's micro-batches. Raises RuntimeError when the
        worker has ended."""
        while True:
            try:
                yield self._queue.get(timeout=_PATIENCE)
            except Empty:
                if not self._process.is_alive():
                    raise RuntimeError("the process that makes samples has ended") from None

    def close(self) -> None:
        """End the worker."""
        self._process.terminate()
        self._process.join()
