"""What saved prefixes save: the second turn of a chat whose model was unloaded in between.

Run `python -m bench.warm_kv`, with `1B` behind it for a larger model. The time of the second turn
includes the load. All ratios are of times in this run, on random models.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
import time
from pathlib import Path

from bench.models import LARGE, SMALL, Shape, make_model
from bench.prefix_reuse import LONG, ask, text
from puna.runner.launcher import ProcessLauncher
from puna.runner.protocol import LoadPlan, WarmPlan


async def turn(plan: LoadPlan, warm: WarmPlan, prompt: str, *, warm_up: bool) -> tuple[float, int]:
    """Seconds to the first word in a runner of its own, its load included, and tokens reused."""
    async with ProcessLauncher(warm=warm) as launcher:
        start = time.perf_counter()
        engine = await launcher.launch(plan)
        loading = time.perf_counter() - start
        if warm_up:
            await ask(engine, "warm up")
        first, end = await ask(engine, prompt)
        closing = time.perf_counter()
        await engine.close()
        print(
            f"  load {loading:.2f} s, first word {first:.2f} s ({end.cached_tokens} of "
            f"{end.prompt_tokens} tokens reused), end {time.perf_counter() - closing:.2f} s"
        )
        return (first if warm_up else loading + first), end.cached_tokens


def kept(warm: WarmPlan) -> int:
    """Bytes in the files."""
    return sum(each.stat().st_size for each in Path(warm.memory or warm.disk).glob("*.kv"))


def named_by_digest(path: Path) -> Path:
    """A model file renamed as the store would, so that a load need not hash it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path.rename(path.with_name(f"sha256-{digest}"))


async def measure(shape: Shape) -> None:
    """Print the table of one model."""
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory(dir="/dev/shm") as memory,
    ):
        path = named_by_digest(make_model(Path(folder) / "model.gguf", shape))
        plan = LoadPlan(model=str(path), n_ctx=8192)
        places = {
            "memory": WarmPlan(memory=memory, memory_limit=4 << 30),
            "disk": WarmPlan(disk=f"{folder}/kv", disk_limit=4 << 30),
        }
        for number, (name, warm) in enumerate(places.items()):
            prompt = text(LONG, 100 + number)
            print(f"{shape.name}, kept in {name}:")
            first, _ = await turn(plan, warm, prompt, warm_up=True)
            second, _ = await turn(plan, warm, prompt + " and then?", warm_up=False)
            print(
                f"  second turn of a {LONG}-token chat after unload and load: first word after "
                f"{second / first:.1%} of the first turn's time, {kept(warm) >> 20} MiB kept"
            )


if __name__ == "__main__":
    asyncio.run(measure(LARGE if "1B" in sys.argv[1:] else SMALL))
