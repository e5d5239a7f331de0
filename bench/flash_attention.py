"""What flash attention brings on processors, and what it costs in agreement between batch shapes.

Run `python -m bench.flash_attention`. Both kinds are measured in turn, in one process, on a random
100M model; the ratios are of medians.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.models import SMALL, make_model
from puna.discover.cpu import worker_threads
from puna.runner.llama.context import Context, Decoded
from puna.runner.llama.library import LOG, lib
from puna.runner.llama.model import Model
from puna.runner.protocol import LoadPlan

LENGTHS = (500, 4000)
DECODES = 64
ROUNDS = 3
STREAMS = 8
BATCH = 512
OTHERS = 48  # tokens of each other stream


class Bench:
    """Contexts of one model with and without flash attention."""

    def __init__(self, path: Path) -> None:
        plans = {
            flash: LoadPlan(model=str(path), n_ctx=8192, flash_attention=flash, max_sequences=16)
            for flash in (True, False)
        }
        self.model = Model(plans[True], lambda _: None)
        threads = worker_threads()
        self.contexts = {f: Context(self.model, plan, threads) for f, plan in plans.items()}
        self._draw = np.random.default_rng(1)
        self.tokens = [int(each) for each in self._draw.integers(300, 16_000, 8192)]

    def prefill(self, length: int) -> dict[bool, float]:
        """Seconds to read `length` tokens into empty sequences; both kinds batch by batch."""
        times = {True: 0.0, False: 0.0}
        for context in self.contexts.values():
            context.remove(0)
        for at in range(0, length, BATCH):
            tokens = self.tokens[at : min(at + BATCH, length)]
            for flash, context in self.contexts.items():
                start = time.perf_counter()
                self._decode(context, [(0, at, tokens)])
                times[flash] += time.perf_counter() - start
        return times

    def generate(self, length: int) -> dict[bool, list[float]]:
        """Seconds for each of some tokens after `length` tokens; both kinds token by token."""
        times: dict[bool, list[float]] = {True: [], False: []}
        for at in range(length, length + DECODES):
            for flash, context in self.contexts.items():
                start = time.perf_counter()
                self._decode(context, [(0, at, [self.tokens[at]])])
                times[flash].append(time.perf_counter() - start)
        return times

    def disagreement(self, flash: bool, length: int) -> float:
        """The largest difference between a token's logits alone and in a batch with others."""
        context = self.contexts[flash]
        context.remove(0, length)
        (index,) = self._decode(context, [(0, length, [self.tokens[length]])])
        alone = context.logits(index).copy()
        context.remove(0, length)
        others = [
            (number, at, [self.tokens[at + number]])
            for number in range(1, STREAMS)
            for at in range(OTHERS)
        ]
        for entry in others:
            self._decode(context, [entry])
        batch = [(0, length, [self.tokens[length]])]
        batch += [(number, OTHERS, [self.tokens[number]]) for number in range(1, STREAMS)]
        index, *_ = self._decode(context, batch)
        together = context.logits(index).copy()
        for number in range(1, STREAMS):
            context.remove(number)
        return float(np.abs(alone - together).max())

    @staticmethod
    def _decode(context: Context, entries: list[tuple[int, int, list[int]]]) -> list[int]:
        context.begin()
        indices = [context.add(s, at, tokens, logits=True) for s, at, tokens in entries]
        if context.decode() is not Decoded.OK:
            raise RuntimeError("no cells left")
        context.logits(indices[0])  # waits for the engine
        return indices


def main() -> None:
    """Print a line for each length."""
    LOG.attach(lambda level, line: None)
    lib.llama_backend_init()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(make_model(Path(folder) / "model.gguf", SMALL))
        for length in LENGTHS:
            reading: dict[bool, list[float]] = {True: [], False: []}
            writing: dict[bool, list[float]] = {True: [], False: []}
            for _ in range(ROUNDS):
                for flash, seconds in bench.prefill(length).items():
                    reading[flash].append(seconds)
                for flash, times in bench.generate(length).items():
                    writing[flash] += times
            read = {f: length / statistics.median(times) for f, times in reading.items()}
            wrote = {f: 1 / statistics.median(times) for f, times in writing.items()}
            far = {f: bench.disagreement(f, length) for f in (True, False)}
            print(
                f"{length} tokens: prefill {read[True]:.0f} tokens/s with, {read[False]:.0f} "
                f"without ({read[False] / read[True]:.2f}); decode {wrote[True]:.1f} with, "
                f"{wrote[False]:.1f} without ({wrote[False] / wrote[True]:.2f}); logits alone and "
                f"among {STREAMS} differ by {far[True]:.1g} with, {far[False]:.1g} without"
            )


if __name__ == "__main__":
    main()
