"""What two models that decode at the same time cost each other, against one alone.

Run `python -m bench.two_runners`. The engine's threads wait for each other hundreds of times in a
decode; how long they spin before they sleep decides whether two runners share the cores or fight.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from puna.runner.handle import ProcessEngine
from puna.runner.launcher import ProcessLauncher
from puna.runner.protocol import Finished, Generation, LoadPlan, Sampling
from tests.fakes.ggufs import make_tiny_llama

TOKENS = 400


@asynccontextmanager
async def two_engines(path: Path) -> AsyncIterator[list[ProcessEngine]]:
    """The same model, loaded twice."""
    plan = LoadPlan(model=str(path), n_ctx=512)
    async with ProcessLauncher() as launcher:
        yield [await launcher.launch(plan), await launcher.launch(plan)]


async def rate(engine: ProcessEngine) -> float:
    """Tokens per second of one greedy stream."""
    order = Generation(
        prompt="Once", n_ctx=512, max_tokens=TOKENS, sampling=Sampling(temperature=0)
    )
    async with engine.generate(order) as events:
        async for event in events:
            if isinstance(event, Finished):
                return event.eval_tokens / (event.eval_ns / 1e9)
    raise RuntimeError("the generation did not end")


async def measure() -> None:
    """Print the rates and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        async with two_engines(make_tiny_llama(Path(folder) / "tiny.gguf")) as engines:
            await rate(engines[0])
            alone = await rate(engines[0])
            together = await asyncio.gather(*(rate(engine) for engine in engines))
    print(
        f"alone {alone:.0f} tokens/s; together {together[0]:.0f} and {together[1]:.0f}: "
        f"{sum(together) / alone:.2f} of one alone"
    )


if __name__ == "__main__":
    asyncio.run(measure())
