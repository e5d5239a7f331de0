"""What guessing the next tokens brings, against decoding one at a time on the same model.

Run `python -m bench.speculation`. A 100M model that says one token of its vocabulary after the
other copies a prompt that does so too (with a word changed here and there), or goes on where no
prompt has been; cria answers with randomness. A draft model of 4M that counts as well guesses what
no prompt has. Both ways take turns, each in a runner with one
thread, whose CPU time is compared: a machine that is busy with other things changes it little.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.models import FIRST_WORD, SMALL, TINY, make_model
from puna.runner.handle import ProcessEngine
from puna.runner.launcher import ProcessLauncher
from puna.runner.protocol import Finished, Generation, LoadPlan, Sampling

ROUNDS = 5
LENGTH = 200  # tokens of prompt and of answer
CRIA = Path(__file__).resolve().parents[1] / "puna/models/bundled/cria/cria.gguf"


@dataclass(frozen=True)
class Case:
    """A text and how many read and write it at once."""

    name: str
    model: str
    orders: tuple[Generation, ...]


def counting(start: int, *, changed: int = 0) -> list[int]:
    """Tokens in a row; with `changed`, one of so many is another word."""
    row = list(range(start, start + LENGTH))
    if changed:
        row[changed::changed] = [token + 5000 for token in row[changed::changed]]
    return row


def order(prefix: list[int], prompt: str = "", **sampling: float) -> Generation:
    """An answer of `LENGTH` tokens."""
    return Generation(
        prompt=prompt,
        prefix=tuple(prefix),
        n_ctx=2048,
        max_tokens=LENGTH,
        sampling=Sampling(**{"temperature": 0, **sampling}),  # type: ignore[arg-type]
    )


def cases() -> list[Case]:
    """What is measured."""
    copy = [*counting(FIRST_WORD), FIRST_WORD]
    edit = [*counting(FIRST_WORD, changed=40), FIRST_WORD]
    apart = [FIRST_WORD + 6000 + 1000 * n for n in range(4)]
    stories = [order([], "Once upon a time there was", temperature=1, seed=n + 1) for n in range(4)]
    return [
        Case("copies its prompt", "counts", (order(copy),)),
        Case("copies all but one word in 40", "counts", (order(edit),)),
        Case("two of four copy", "counts", (order(copy), order(copy), *map(fresh, apart[:2]))),
        Case("says nothing twice", "counts", (fresh(apart[0]),)),
        Case("says nothing twice, 4 streams", "counts", tuple(map(fresh, apart))),
        Case("draft model, nothing twice", "drafted", tuple(map(read, apart[:1]))),
        Case("draft model, 4 streams", "drafted", tuple(map(read, apart))),
        Case("cria, temperature 1", "cria", tuple(stories[:1])),
        Case("cria, temperature 1, 4 streams", "cria", tuple(stories)),
    ]


def fresh(start: int) -> Generation:
    """An answer of tokens that were not there before."""
    return order([start])


def read(start: int) -> Generation:
    """The same behind a prompt that does not repeat itself either."""
    return order(counting(start))


async def ask(engine: ProcessEngine, wanted: Generation) -> Finished:
    """The figures of one answer."""
    async with engine.generate(wanted) as events:
        async for event in events:
            if isinstance(event, Finished):
                return event
    raise RuntimeError("the generation did not end")


def cpu_seconds(engine: ProcessEngine) -> float:
    """CPU time of a runner so far, all threads."""
    stat = Path(f"/proc/{engine.info.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


async def cost(engine: ProcessEngine, case: Case) -> tuple[float, Finished]:
    """CPU milliseconds of all answers together per token, and the figures of the first answer."""
    before = cpu_seconds(engine)
    ends = await asyncio.gather(*(ask(engine, each) for each in case.orders))
    spent = cpu_seconds(engine) - before
    return spent * 1000 / sum(end.eval_tokens for end in ends), ends[0]


async def compare(case: Case, plain: ProcessEngine, guessing: ProcessEngine) -> None:
    """Print a row."""
    await cost(guessing, case)  # the prompts are in the cache from here on
    await cost(plain, case)
    pairs = []
    for _ in range(ROUNDS):
        without, _ = await cost(plain, case)
        with_drafts, end = await cost(guessing, case)
        pairs.append((without, with_drafts))
    ratios = [without / with_drafts for without, with_drafts in pairs]
    print(
        f"{case.name:32} {statistics.median(ratios):5.2f} times as fast "
        f"({min(ratios):.2f} to {max(ratios):.2f}); "
        f"{statistics.median(pair[0] for pair in pairs):.2f} to "
        f"{statistics.median(pair[1] for pair in pairs):.2f} ms a token; "
        f"{end.accepted_tokens} of {end.drafted_tokens} guesses right",
        flush=True,
    )


async def measure() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        counts = make_model(Path(folder) / "counts.gguf", SMALL, counts=True)
        small = make_model(Path(folder) / "small.gguf", TINY, counts=True)
        models = {"counts": (counts, ""), "drafted": (counts, str(small)), "cria": (CRIA, "")}
        for model, (path, draft) in models.items():
            async with ProcessLauncher() as launcher:
                plan = LoadPlan(model=str(path), draft=draft, n_ctx=2048, n_parallel=4, n_threads=1)
                plain = await launcher.launch(msgspec.structs.replace(plan, speculation="off"))
                guessing = await launcher.launch(plan)
                for case in cases():
                    if case.model == model:
                        await compare(case, plain, guessing)


if __name__ == "__main__":
    asyncio.run(measure())
