"""How long other streams wait for their next word while a 4,000-token prompt is read.

Run `python -m bench.stream_gap`. Gaps are compared with those before the prompt came, on a random
100M model. Time is the CPU time of one thread, which is also the loop's clock: a machine that is
busy with other things changes it little.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from pathlib import Path

from bench.models import FIRST_WORD, SMALL, make_model
from puna.runner.llama.context import Context
from puna.runner.llama.library import LOG, lib
from puna.runner.llama.model import Model
from puna.runner.llama.sampler import Sampler
from puna.runner.loop import Loop
from puna.runner.protocol import Generation, LoadPlan, Sampling
from puna.runner.running import Running
from puna.runner.speculate import Speculation
from puna.runner.text import TextStream
from puna.runner.wire import Refused, Step

STREAMS = 4
PROMPT = 4000  # tokens
BEFORE = 60  # steps of the streams alone
ROUNDS = 2
N_CTX = 8192
BUDGET = 3.0
_ANSWER = 5000  # tokens: nobody ends before the prompt is read


class Watched:
    """A loop, and when each of its generations said something."""

    def __init__(self, model: Model, context: Context) -> None:
        self._model = model
        self._clock = time.process_time_ns
        self.loop = Loop(model, context, self._heard, self._clock, Speculation())
        self.times: dict[int, list[int]] = {}

    def _heard(self, news: Step | Refused) -> None:
        if isinstance(news, Refused):
            raise TypeError(news.message)
        for said in news.said:
            self.times[said.id].append(self._clock())

    def admit(self, number: int, length: int, seed: int) -> None:
        """A prompt of random words, answered at random."""
        sampling = Sampling(temperature=1, seed=seed)
        draw = random.Random(seed)
        self.times[number] = []
        self.loop.admit(
            Running(
                id=number,
                order=Generation(prompt="", sampling=sampling),
                tokens=[draw.randrange(FIRST_WORD, SMALL.n_vocab) for _ in range(length)],
                sampler=Sampler(self._model, sampling, None, N_CTX),
                text=TextStream(()),
                n_ctx=N_CTX,
                n_keep=4,
                max_tokens=_ANSWER,
            )
        )


def gaps_of(model: Model, context: Context, seed: int) -> tuple[float, list[float]]:
    """A plain step's time, and the gaps of all streams during the prompt as multiples of it."""
    watched = Watched(model, context)
    loop, times = watched.loop, watched.times
    for number in range(STREAMS):
        watched.admit(number, 64, seed * 100 + number)
    while len(times[0]) < BEFORE:
        loop.step()
    step = statistics.median(b - a for a, b in zip(times[0][5:], times[0][6:], strict=False))
    start = len(times[0]) - 1
    watched.admit(STREAMS, PROMPT, seed * 100 + 99)
    while not times[STREAMS]:
        loop.step()
    gaps = [
        (later - sooner) / step
        for number in range(STREAMS)
        for sooner, later in zip(times[number][start:], times[number][start + 1 :], strict=False)
    ]
    for number in range(STREAMS + 1):
        loop.cancel(number)
    return step / 1e6, gaps


def main() -> None:
    """Measure and print."""
    LOG.attach(lambda level, line: None)
    lib.llama_backend_init()
    with tempfile.TemporaryDirectory() as folder:
        path = make_model(Path(folder) / "model.gguf", SMALL)
        plan = LoadPlan(model=str(path), n_ctx=N_CTX, n_parallel=2)
        model = Model(plan, lambda fraction: None)
        for seed in range(1, ROUNDS + 1):
            context = Context(model, plan, 1)
            step, gaps = gaps_of(model, context, seed)
            context.close()
            gaps.sort()
            half, most = gaps[len(gaps) // 2], gaps[int(len(gaps) * 0.99)]
            print(
                f"a step of {STREAMS} streams takes {step:.1f} ms; {PROMPT} tokens of prompt are "
                f"read in {len(gaps) // STREAMS} steps; gaps are {half:.2f} steps (median), "
                f"{most:.2f} (99th percentile), {gaps[-1]:.2f} (longest); budget {BUDGET}",
                flush=True,
            )
        model.close()


if __name__ == "__main__":
    main()
