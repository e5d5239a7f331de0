"""What sharing prompts saves: second turns, and many users with one system prompt.

Run `python -m bench.prefix_reuse`. All ratios are of times in this run, on a random 100M model.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

from bench.models import SMALL, make_model
from puna.runner.handle import ProcessEngine
from puna.runner.launcher import ProcessLauncher
from puna.runner.protocol import Finished, Generation, LoadPlan, Piece, Sampling

USERS = 8
ANSWER = 32  # tokens
PREFIX = 1000  # tokens; one for each character, as the vocabulary has bytes only
LONG = 4000


def text(length: int, seed: int) -> str:
    """Letters that no two seeds share."""
    draw = random.Random(seed)
    return "".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(length))


async def ask(engine: ProcessEngine, prompt: str) -> tuple[float, Finished]:
    """Seconds to the first word, and the figures at the end."""
    order = Generation(
        prompt=prompt, n_ctx=8192, max_tokens=ANSWER, sampling=Sampling(temperature=0)
    )
    start = time.perf_counter()
    first = 0.0
    async with engine.generate(order) as events:
        async for event in events:
            if isinstance(event, Piece):
                first = first or time.perf_counter() - start
            else:
                return first or time.perf_counter() - start, event
    raise RuntimeError("the generation did not end")


async def timed(work: Awaitable[object]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    await work
    return time.perf_counter() - start


async def measure() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = make_model(Path(folder) / "model.gguf", SMALL)
        async with ProcessLauncher() as launcher:
            engine = await launcher.launch(LoadPlan(model=str(path), n_ctx=8192, n_parallel=2))
            await ask(engine, "warm up")
            first, _ = await ask(engine, text(LONG, 1))
            second, end = await ask(engine, text(LONG, 1) + " and then?")
            print(
                f"second turn of a {LONG}-token chat: first word after {second / first:.1%} of "
                f"the first turn's time ({end.cached_tokens} of {end.prompt_tokens} reused)"
            )
            apart = await timed(
                asyncio.gather(*(ask(engine, text(PREFIX, 10 + n)) for n in range(USERS)))
            )
            shared = text(PREFIX, 99)
            together = await timed(
                asyncio.gather(*(ask(engine, f"{shared} user {n}") for n in range(USERS)))
            )
            print(
                f"{USERS} users, {PREFIX} tokens each, {ANSWER} tokens out: sharing the prompt is "
                f"{apart / together:.1f} times as fast as {USERS} prompts of their own"
            )


if __name__ == "__main__":
    asyncio.run(measure())
