"""One stream through a runner against the barest loop over the same engine.

Run `python -m bench.raw_loop`. The loop is what one would write first: decode, sample, text of the
token, in this process and with nobody to answer. Both take turns; ratios are medians over rounds.
"""

from __future__ import annotations

import asyncio
import ctypes
import statistics
import time
from dataclasses import dataclass

import click

from bench.models import SHAPES, cached_model
from bench.prefix_reuse import text
from puna.discover.cpu import worker_threads
from puna.runner.handle import ProcessEngine
from puna.runner.launcher import ProcessLauncher
from puna.runner.llama.library import LOG, lib
from puna.runner.llama.model import Model
from puna.runner.llama.params import make_params
from puna.runner.protocol import Finished, Generation, LoadPlan, Sampling

GOAL = 0.98
N_CTX = 2048
PROMPT = 1000  # tokens; one for each character, as the vocabulary has bytes only
ANSWER = 128
SAMPLING = Sampling(seed=7)


@dataclass(frozen=True)
class Speed:
    """Tokens per second, of the prompt until the first word and of the answer after it."""

    prompt: float
    answer: float


def speed_of(start: float, first: float, end: float) -> Speed:
    """From the times of the question, the first token and the last."""
    return Speed(PROMPT / (first - start), (ANSWER - 1) / (end - first))


class RawLoop:
    """A context and a sampler of libllama, and nothing else."""

    def __init__(self, plan: LoadPlan, n_threads: int) -> None:
        self._model = Model(plan, lambda _: None)
        params = make_params(plan, n_threads)
        params.n_ctx, params.n_batch, params.n_ubatch = plan.n_ctx, 512, 512
        self._context = lib.llama_init_from_model(self._model.handle, params)
        self._sampler = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        for stage in (
            lib.llama_sampler_init_top_k(SAMPLING.top_k),
            lib.llama_sampler_init_top_p(SAMPLING.top_p, 1),
            lib.llama_sampler_init_temp(SAMPLING.temperature),
            lib.llama_sampler_init_dist(SAMPLING.seed),
        ):
            lib.llama_sampler_chain_add(self._sampler, stage)

    def run(self, prompt: str) -> Speed:
        """Read the prompt and answer it."""
        start = time.perf_counter()
        lib.llama_memory_clear(lib.llama_get_memory(self._context), False)
        tokens = self._model.tokenize_prompt(prompt)
        for at in range(0, len(tokens), 512):
            self._decode(tokens[at : at + 512])
        piece = ctypes.create_string_buffer(64)
        times: list[float] = []
        token = -1
        while len(times) < ANSWER:
            if times:
                self._decode([token])
            token = lib.llama_sampler_sample(self._sampler, self._context, -1)
            lib.llama_token_to_piece(self._model.vocab, token, piece, 64, 0, False)
            times.append(time.perf_counter())
        return speed_of(start, times[0], times[-1])

    def _decode(self, tokens: list[int]) -> None:
        array = (lib.llama_token * len(tokens))(*tokens)
        if lib.llama_decode(self._context, lib.llama_batch_get_one(array, len(tokens))):
            raise RuntimeError("decode failed")


async def run(engine: ProcessEngine, prompt: str) -> Speed:
    """The same through a runner, as its caller sees it."""
    order = Generation(prompt=prompt, n_ctx=N_CTX, max_tokens=ANSWER, sampling=SAMPLING)
    start, first = time.perf_counter(), 0.0
    async with engine.generate(order) as events:
        async for event in events:
            if isinstance(event, Finished):
                if event.eval_tokens != ANSWER:
                    raise RuntimeError(f"{event.eval_tokens} tokens instead of {ANSWER}")
                return speed_of(start, first, time.perf_counter())
            first = first or time.perf_counter()
    raise RuntimeError("the generation did not end")


async def measure(shape: str, rounds: int, threads: int) -> None:
    """Print the table."""
    LOG.attach(lambda level, line: None)
    plan = LoadPlan(model=str(cached_model(SHAPES[shape])), n_ctx=N_CTX, n_threads=threads)
    raw = RawLoop(plan, threads)
    speeds: list[tuple[Speed, Speed]] = []
    async with ProcessLauncher() as launcher:
        engine = await launcher.launch(plan)
        for turn in range(rounds + 1):
            prompts = text(PROMPT, 2 * turn), text(PROMPT, 2 * turn + 1)
            speeds.append((await run(engine, prompts[0]), raw.run(prompts[1])))
    report(shape, speeds[1:])  # the first is to warm up


def report(shape: str, speeds: list[tuple[Speed, Speed]]) -> None:
    """Print the medians of the ratios."""
    for what, pairs in {
        "prefill": [(ours.prompt, raw.prompt) for ours, raw in speeds],
        "decode": [(ours.answer, raw.answer) for ours, raw in speeds],
    }.items():
        ratios = [ours / raw for ours, raw in pairs]
        rate = statistics.median(raw for _, raw in pairs)
        print(
            f"{shape} model, {what}: {statistics.median(ratios):.3f} of the raw loop's speed "
            f"({min(ratios):.2f} to {max(ratios):.2f}; goal {GOAL}), which is {rate:.1f} tokens/s"
        )


@click.command()
@click.option("--model", "shape", type=click.Choice(list(SHAPES)), default="100M")
@click.option("--rounds", default=5, show_default=True)
@click.option("--threads", type=int, default=worker_threads, help="By default the cores.")
def main(shape: str, rounds: int, threads: int) -> None:
    """Measure."""
    asyncio.run(measure(shape, rounds, threads))


if __name__ == "__main__":
    main()
