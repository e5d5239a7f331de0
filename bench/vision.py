"""What an image costs: a second question about it, and others' answers while it is being read.

Run `python -m bench.vision`. All ratios are of times in this run, on a random 100M model and an
encoder of 86M that makes 576 tokens of an image.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench.models import SMALL, make_model
from puna.runner.handle import ProcessEngine
from puna.runner.launcher import ProcessLauncher
from puna.runner.protocol import Generation, LoadPlan, Piece, Sampling
from tests.fakes.projectors import LLAVA, Tower, make_image, make_projector

BASE = Tower(768, 12, 3072, 12)
SIDE = 336  # pixels


def order(prompt: str, *images: bytes, max_tokens: int = 8) -> Generation:
    """Greedy, and not stopped by itself."""
    greedy = Sampling(temperature=0)
    return Generation(
        prompt=prompt, images=images, n_ctx=4096, max_tokens=max_tokens, sampling=greedy
    )


async def first_word(engine: ProcessEngine, asked: Generation) -> float:
    """Seconds to the first word."""
    start = time.perf_counter()
    async with engine.generate(asked) as events:
        async for event in events:
            if isinstance(event, Piece):
                return time.perf_counter() - start
    raise RuntimeError("nothing was said")


async def stream(engine: ProcessEngine, until: asyncio.Event) -> tuple[float, float]:
    """Words per second of a stream until then, and its longest wait for one, in seconds."""
    count, longest = 0, 0.0
    async with engine.generate(order("once", max_tokens=-1)) as events:
        await anext(events)
        start = last = time.perf_counter()
        async for _ in events:
            now = time.perf_counter()
            count, longest, last = count + 1, max(longest, now - last), now
            if until.is_set():
                break
    return count / (last - start), longest


async def alone(engine: ProcessEngine, seconds: float) -> float:
    """Words per second of a stream that nobody runs beside."""
    until = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, until.set)
    return (await stream(engine, until))[0]


async def beside(engine: ProcessEngine, asked: Generation) -> tuple[float, float]:
    """The same of a stream beside an order, until that has said a word."""
    until = asyncio.Event()

    async def ask() -> None:
        await first_word(engine, asked)
        until.set()

    figures, _ = await asyncio.gather(stream(engine, until), ask())
    return figures


async def measure() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(Path(folder) / "model.gguf", SMALL)
        eye = make_projector(
            Path(folder) / "eye.gguf", LLAVA, n_embd=SMALL.n_embd, image_size=SIDE, tower=BASE
        )
        plan = LoadPlan(model=str(model), projector=str(eye), n_ctx=4096, n_parallel=2)
        async with ProcessLauncher() as launcher:
            engine = await launcher.launch(plan)
            await first_word(engine, order("warm [img-0] up", make_image(SIDE, SIDE, seed=1)))
            image = make_image(SIDE, SIDE, seed=2)
            first = await first_word(engine, order("see [img-0]. What is it?", image))
            again = await first_word(engine, order("see [img-0]. Where is it?", image))
            elsewhere = await first_word(engine, order("look at [img-0]. Who is it?", image))
            print(
                f"a second question about an image of 576 tokens: first word after "
                f"{again / first:.1%} of the first question's time; in another place of the "
                f"prompt, where it is read but not encoded again, {elsewhere / first:.1%}"
            )
            free = await alone(engine, first)
            asked = order("[img-0]?", make_image(SIDE, SIDE, seed=3))
            start = time.perf_counter()
            rate, longest = await beside(engine, asked)
            took = time.perf_counter() - start
            print(
                f"a stream beside an image that is encoded and read says {rate / free:.0%} of the "
                f"words; its longest wait is {longest / took:.0%} of the image's time, which "
                f"is {took / first:.1f} times what it is without the stream"
            )


if __name__ == "__main__":
    asyncio.run(measure())
