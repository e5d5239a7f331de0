"""What one token costs the runner's own Python, in µs of CPU, beside the engine's arithmetic.

Run `python -m bench.runner_cost [streams]`. The whole loop runs, with the real vocabulary, the
real samplers, text and frames, over a context whose decode computes nothing: what is left is ours.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from bench.models import SMALL, make_model
from puna.runner.llama.context import Context, Decoded
from puna.runner.llama.library import LOG, lib
from puna.runner.llama.model import Model
from puna.runner.loop import Loop
from puna.runner.protocol import Generation, LoadPlan, Sampling
from puna.runner.running import Running
from puna.runner.speculate import Speculation
from puna.runner.text import TextStream
from puna.runner.wire import Refused, Step, encode_frame

TOKENS = 1000  # per stream
PROMPT = 100


class IdleContext(Context):
    """A context that fills its batches and computes nothing."""

    def decode(self) -> Decoded:
        self._batch.struct()
        return Decoded.OK

    def wait(self) -> None:
        pass

    def logits(self, index: int) -> npt.NDArray[np.float32]:
        raise RuntimeError("nothing was computed: draw without logits")


class Draw:
    """A sampler that draws without logits: sampling is the engine's arithmetic as well."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed).integers(259, 16_000, TOKENS * 2).tolist()

    def sample(self, context: Context, index: int) -> int:
        return int(self._random.pop())

    def close(self) -> None:
        pass


def measure(model: Model, streams: int, speculation: Speculation | None) -> float:
    """CPU microseconds per token."""
    plan = LoadPlan(model="", n_ctx=4096, n_parallel=streams, max_sequences=streams)
    context = IdleContext(model, plan, 1)
    sent = 0

    def deliver(news: Step | Refused) -> None:
        nonlocal sent
        sent += len(encode_frame(news))

    loop = Loop(model, context, deliver, speculation=speculation)
    order = Generation(prompt="", sampling=Sampling(temperature=0), stop=("\n\n",))
    for number in range(streams):
        draw = cast(Any, Draw(number))
        tokens: Sequence[int] = [300 + number] * PROMPT
        loop.admit(
            Running(
                id=number,
                order=order,
                tokens=list(tokens),
                sampler=draw,
                text=TextStream(order.stop),
                n_ctx=4096,
                n_keep=4,
                max_tokens=TOKENS,
            )
        )
    loop.step()
    begun = time.process_time()
    while not loop.idle:
        loop.step()
    spent = time.process_time() - begun
    context.close()
    return spent / (streams * TOKENS) * 1e6


def main() -> None:
    """Measure and print."""
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    LOG.attach(lambda level, line: None)
    lib.llama_backend_init()
    with tempfile.TemporaryDirectory() as folder:
        path = make_model(Path(folder) / "model.gguf", SMALL)
        model = Model(LoadPlan(model=str(path)), lambda fraction: None)
        for name, guesses in (("without guesses", None), ("looking for guesses", Speculation())):
            cost = min(measure(model, streams, guesses) for _ in range(3))
            print(f"{streams} streams, {name + ':':21} {cost:6.1f} µs CPU per token")
        model.close()


if __name__ == "__main__":
    main()
