"""What holding an answer to a JSON Schema costs, in tokens per second.

Run `python -m bench.schema_cost`. Answers with and without take turns on a random 100M model, so
that both meet the same disturbances; the ratio is the median of those of each turn. Nothing is
guessed, since guesses come true more often under a schema.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

from bench.models import SMALL, make_model
from puna.runner.handle import ProcessEngine
from puna.runner.launcher import ProcessLauncher
from puna.runner.protocol import Finished, Generation, LoadPlan, Sampling

TOKENS = 128
TURNS = 9
STREAMS = (1, 8)

SCHEMA = {
    "type": "array",
    "minItems": 1000,  # longer than any answer here
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 20},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "colour": {"enum": ["red", "green", "blue"]},
            "sizes": {"type": "array", "items": {"type": "number"}, "maxItems": 4},
            "married": {"type": "boolean"},
        },
        "required": ["name", "age", "colour", "sizes", "married"],
        "additionalProperties": False,
    },
}


async def ask(engine: ProcessEngine, seed: int, format: str) -> None:
    """One answer of `TOKENS` tokens."""
    order = Generation(
        prompt="Some people:",
        n_ctx=512,
        max_tokens=TOKENS,
        format=format,
        sampling=Sampling(temperature=1.0, seed=seed),
    )
    async with engine.generate(order) as events:
        async for event in events:
            if isinstance(event, Finished) and event.eval_tokens < TOKENS:
                raise RuntimeError("the answer ended early")


async def rate(engine: ProcessEngine, streams: int, format: str) -> float:
    """Tokens per second of all streams together, from request to end."""
    start = time.perf_counter()
    await asyncio.gather(*(ask(engine, seed, format) for seed in range(streams)))
    return TOKENS * streams / (time.perf_counter() - start)


async def measure() -> None:
    """Print a line for each number of streams."""
    with tempfile.TemporaryDirectory() as folder:
        path = make_model(Path(folder) / "model.gguf", SMALL)
        async with ProcessLauncher() as launcher:
            plan = LoadPlan(model=str(path), n_ctx=512, n_parallel=8, speculation="off")
            engine = await launcher.launch(plan)
            format = json.dumps(SCHEMA)
            await rate(engine, 1, format)  # prepares the vocabulary
            for streams in STREAMS:
                rates = [
                    (await rate(engine, streams, ""), await rate(engine, streams, format))
                    for _ in range(TURNS)
                ]
                free, held = (statistics.median(each) for each in zip(*rates, strict=True))
                ratio = statistics.median(held / free for free, held in rates)
                print(
                    f"{streams} streams: {free:.0f} tokens/s free, {held:.0f} with a schema: "
                    f"{ratio:.1%}"
                )


if __name__ == "__main__":
    asyncio.run(measure())
