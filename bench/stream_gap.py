"""How long other streams wait for their next word while a 4,000-token prompt is read, and when a
ninth begins to speak beside eight.

Run `python -m bench.stream_gap [prompt|ninth]`. Gaps are compared with those before the prompt
came, on a random 100M model whose runner had a quiet moment after its load. A shorter prompt comes
first, and is told apart: what is done once in a runner's life is done for it. Time is the CPU time
of one thread, which is also the loop's clock: a machine that is busy with other things changes it
little.
"""

from __future__ import annotations

import random
import statistics
import sys
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
FIRST = 600  # tokens of the first prompt
PROMPT = 4000  # tokens
EIGHT = 8  # for whom there are streams ahead
BESIDE = 300  # tokens of each one's prompt
BEFORE = 60  # steps of the streams alone
ROUNDS = 2
N_CTX = 8192
BUDGET = 3.0
_ANSWER = 5000  # tokens: nobody ends before the prompt is read


class Watched:
    """A loop and the times of its steps: each stream says a word in each."""

    def __init__(self, model: Model, context: Context) -> None:
        self._model = model
        self.loop = Loop(model, context, self._heard, time.process_time_ns, Speculation())
        self.spoke: set[int] = set()

    def _heard(self, news: Step | Refused) -> None:
        if isinstance(news, Refused):
            raise TypeError(news.message)
        self.spoke.update(said.id for said in news.said)

    def step(self) -> int:
        """Nanoseconds that the next step takes."""
        begun = time.process_time_ns()
        self.loop.step()
        return time.process_time_ns() - begun

    def plain(self, count: int) -> float:
        """Nanoseconds of a step without a prompt: the median of `count`, but for the first half."""
        return statistics.median([self.step() for _ in range(count)][count // 2 :])

    def read(self, number: int, length: int, seed: int) -> list[tuple[int, float]]:
        """Read a prompt beside what runs, and let it go; the cells stay. Of each step, how long it
        took and the part of the prompt that had been read."""
        self.admit(number, length, seed)
        reader = self.loop._waiting[-1]
        steps = []
        while number not in self.spoke:
            steps.append((self.step(), reader.n_cached / length))
        self.loop.cancel(number)
        return steps

    def admit(self, number: int, length: int, seed: int) -> None:
        """A prompt of random words, answered at random."""
        sampling = Sampling(temperature=1, seed=seed)
        draw = random.Random(seed)
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


def gaps_of(model: Model, context: Context, seed: int) -> tuple[float, float, list[float], float]:
    """Times of a plain step before and after, and all streams' gaps in between as multiples; and
    the longest gap of the first prompt.

    Every stream pays for the cells that the prompt fills, so that a plain step takes longer and
    longer; gaps are compared with a step at the same point.
    """
    watched = Watched(model, context)
    loop = watched.loop
    for number in range(STREAMS):
        watched.admit(number, 64, seed * 100 + number)
    first = watched.plain(BEFORE)
    longest = max(took for took, _ in watched.read(STREAMS, FIRST, seed * 100 + 98)) / first
    before = watched.plain(BEFORE)
    steps = watched.read(STREAMS + 1, PROMPT, seed * 100 + 99)
    after = watched.plain(BEFORE // 3)
    for number in range(STREAMS):
        loop.cancel(number)
    gaps = [gap / (before + (after - before) * share) for gap, share in steps]
    return before / 1e6, after / 1e6, gaps, longest


def gaps_of_a_ninth(model: Model, context: Context, seed: int) -> tuple[float, list[float]]:
    """Time of a step of eight, and the gaps since a ninth came as multiples of a step of nine."""
    watched = Watched(model, context)
    for number in range(EIGHT):
        watched.admit(number, BESIDE, seed * 100 + number)
    while len(watched.spoke) < EIGHT:
        watched.step()
    before = watched.plain(BEFORE)
    watched.admit(EIGHT, 64, seed * 100 + 99)
    gaps = []
    while EIGHT not in watched.spoke:
        gaps.append(watched.step())
    gaps += [watched.step() for _ in range(BEFORE)]
    after = watched.plain(BEFORE)
    for number in range(EIGHT + 1):
        watched.loop.cancel(number)
    return before / 1e6, [gap / after for gap in gaps]


def tell_of_a_prompt(model: Model, context: Context, seed: int) -> None:
    """Measure and print what a long prompt does to others' gaps."""
    before, after, gaps, first = gaps_of(model, context, seed)
    gaps.sort()
    half, most = gaps[len(gaps) // 2], gaps[int(len(gaps) * 0.99)]
    print(
        f"a step of {STREAMS} streams takes {before:.1f} ms, {after:.1f} ms after "
        f"{PROMPT} tokens of prompt, read in {len(gaps)} steps; "
        f"gaps are {half:.2f} steps (median), {most:.2f} (99th percentile), "
        f"{gaps[-1]:.2f} (longest); budget {BUDGET}; {first:.2f} for the first prompt",
        flush=True,
    )


def tell_of_a_ninth(model: Model, context: Context, seed: int) -> None:
    """Measure and print what a ninth speaker does to others' gaps."""
    before, gaps = gaps_of_a_ninth(model, context, seed)
    longest = sorted(gaps)[-5:][::-1]
    print(
        f"a step of {EIGHT} streams takes {before:.1f} ms; the longest gaps after a ninth "
        f"came are {', '.join(f'{gap:.2f}' for gap in longest)} steps of nine",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    tells = {"prompt": tell_of_a_prompt, "ninth": tell_of_a_ninth}
    chosen = [tells[name] for name in sys.argv[1:]] or list(tells.values())
    LOG.attach(lambda level, line: None)
    lib.llama_backend_init()
    with tempfile.TemporaryDirectory() as folder:
        path = make_model(Path(folder) / "model.gguf", SMALL)
        plan = LoadPlan(model=str(path), n_ctx=N_CTX, n_parallel=2)
        model = Model(plan, lambda fraction: None)
        for tell in chosen:
            for seed in range(1, ROUNDS + 1):
                context = Context(model, plan, 1)
                while context.prepare():
                    pass
                tell(model, context, seed)
                context.close()
        model.close()


if __name__ == "__main__":
    main()
