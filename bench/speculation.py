"""What guessing the next tokens brings, against decoding one at a time on the same model.

Run `python -m bench.speculation`. A 100M model that says one token of its vocabulary after the
other copies a prompt that does so too (with a word changed here and there), or goes on where no
prompt has been; cria answers with randomness. A draft model of 4M that counts as well guesses what
no prompt has. Both ways take turns, each in a runner with one
thread, whose CPU time is compared: a machine that is busy with other things changes it little.
Which pages a process gets makes it up to 5 % faster or slower than its twin as long as it lives:
both are launched several times, and by turns first.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from bench.models import FIRST_WORD, SMALL, TINY, make_model
from puna.runner.handle import ProcessEngine
from puna.runner.launcher import ProcessLauncher
from puna.runner.protocol import Finished, Generation, LoadPlan, Sampling

ROUNDS = 2  # after each launch
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
    threads = Path(f"/proc/{engine.info.pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in threads) / 1e9


async def cost(engine: ProcessEngine, case: Case) -> tuple[float, Finished]:
    """CPU milliseconds of all answers together per token, and the figures of the first answer."""
    before = cpu_seconds(engine)
    ends = await asyncio.gather(*(ask(engine, each) for each in case.orders))
    spent = cpu_seconds(engine) - before
    return spent * 1000 / sum(end.eval_tokens for end in ends), ends[0]


@dataclass(frozen=True)
class Turn:
    """CPU milliseconds a token without guesses and with them, and an answer's figures with them."""

    without: float
    guessing: float
    end: Finished


async def compare(case: Case, plain: ProcessEngine, guessing: ProcessEngine) -> list[Turn]:
    """Both ways by turns."""
    await cost(guessing, case)  # the prompts are in the cache from here on
    await cost(plain, case)
    turns = []
    for _ in range(ROUNDS):
        without, _ = await cost(plain, case)
        turns.append(Turn(without, *await cost(guessing, case)))
    return turns


def report(case: Case, turns: list[Turn]) -> None:
    """Print a row."""
    ratios = [turn.without / turn.guessing for turn in turns]
    print(
        f"{case.name:32} {statistics.median(ratios):5.2f} times as fast "
        f"({min(ratios):.2f} to {max(ratios):.2f}); "
        f"{statistics.median(turn.without for turn in turns):.2f} to "
        f"{statistics.median(turn.guessing for turn in turns):.2f} ms a token; "
        f"{turns[-1].end.accepted_tokens} of {turns[-1].end.drafted_tokens} guesses right",
        flush=True,
    )


async def launched(plan: LoadPlan, rows: list[Case], *, plain_first: bool) -> list[list[Turn]]:
    """Both runners anew, and each row by turns."""
    off = msgspec.structs.replace(plan, speculation="off")
    async with ProcessLauncher() as launcher:
        first, second = [
            await launcher.launch(each) for each in ((off, plan) if plain_first else (plan, off))
        ]
        plain, guessing = (first, second) if plain_first else (second, first)
        return [await compare(case, plain, guessing) for case in rows]


async def measure(n_launches: int, only: str) -> None:
    """Print the table's rows in whose names `only` is."""
    with tempfile.TemporaryDirectory() as folder:
        counts = make_model(Path(folder) / "counts.gguf", SMALL, counts=True)
        small = make_model(Path(folder) / "small.gguf", TINY, counts=True)
        models = {"counts": (counts, ""), "drafted": (counts, str(small)), "cria": (CRIA, "")}
        for model, (path, draft) in models.items():
            plan = LoadPlan(model=str(path), draft=draft, n_ctx=2048, n_parallel=4, n_threads=1)
            rows = [case for case in cases() if case.model == model and only in case.name]
            if not rows:
                continue
            launches = [
                await launched(plan, rows, plain_first=bool(number % 2))
                for number in range(n_launches)
            ]
            for case, *turns in zip(rows, *launches, strict=True):
                report(case, [turn for some in turns for turn in some])


@click.command()
@click.option("--launches", default=2, show_default=True, help="Of both runners, each time anew.")
@click.option("--only", default="", help="Only rows with this in their names.")
def main(launches: int, only: str) -> None:
    """Measure."""
    asyncio.run(measure(launches, only))


if __name__ == "__main__":
    main()
