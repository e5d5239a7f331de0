"""Converts the tiny models and compares what the engine computes with what transformers computed.

python -m tests.convert.parity.compare FOLDER [CASE…]   one line for each case, and one in the
document's table; status 1 if any fails
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from puna.convert.check import logits_of
from puna.convert.conversion import Conversion, convert
from puna.errors import ConvertError
from puna.runner.llama.library import LOG
from puna.runner.llama.model import Model
from puna.runner.llama.pooling import PooledContext
from puna.runner.protocol import LoadPlan
from tests.convert.parity.cases import CASES

__all__ = ["Result", "compare", "main"]

Values = npt.NDArray[np.float32]

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "conversion.md"
BEGIN, END = "<!-- parity: begin -->", "<!-- parity: end -->"


@dataclass(frozen=True)
class Result:
    """Largest differences of logits, relative to the largest logit, and whether greedy
    words agree.
    """

    name: str
    f32: float = -1.0
    f16: float = -1.0
    greedy: bool = False
    failure: str = ""

    def passed(self) -> bool:
        """Whether it is as near as it must be."""
        case = CASES[self.name]
        near = 0 <= self.f32 <= case.tolerance and 0 <= self.f16 <= case.half_tolerance
        return not self.failure and (bool(case.excuse) or (near and self.greedy))


async def _convert(source: Path, target: Path, kind: str) -> None:
    async with aclosing(convert(Conversion("model", source, target, kind))) as steps:
        async for _ in steps:
            pass


def compare(name: str, folder: Path) -> Result:
    """Convert one model as F32 and F16, and compare."""
    source = folder / name
    if (source / "failure").exists():
        return Result(name, failure=f"transformers: {(source / 'failure').read_text()}")
    expected = np.load(source / "expected.npz")
    prompt, greedy = expected["prompt"].tolist(), expected["greedy"].tolist()
    differences = []
    for kind in ("F32", "F16"):
        target = source / f"{kind}.gguf"
        try:
            asyncio.run(_convert(source, target, kind))
            case = CASES[name]
            pooled = case.scores or case.whole
            logits = _pooled(target, prompt) if pooled else logits_of(target, prompt)
        except ConvertError as failure:
            return Result(name, failure=str(failure))
        mean = expected["logits"].mean(axis=0)
        difference = _difference(logits, mean if case.whole else expected["logits"])
        if case.dense and not case.whole:
            difference = max(difference, _difference(_pooled(target, prompt), mean))
        differences.append(difference)
    said = list(prompt)
    for _ in greedy:
        said.append(int(logits_of(source / "F32.gguf", said)[-1].argmax()))
    return Result(name, differences[0], differences[1], said[len(prompt) :] == greedy)


def _difference(values: Values, expected: Values) -> float:
    """The largest, relative to the largest value that is expected."""
    return float(np.abs(values - expected).max() / np.abs(expected).max())


def _pooled(path: Path, prompt: list[int]) -> Values:
    """The one vector that a runner makes of the prompt."""
    LOG.attach(lambda _level, _line: None)
    plan = LoadPlan(
        model=str(path), n_ctx=256, flash_attention=False, kv_type="f32", embedding_only=True
    )
    model = Model(plan, lambda _fraction: None)
    context = PooledContext(model, plan, n_threads=1)
    context.begin()
    context.add(0, 0, prompt)
    context.decode()
    vector = context.vector(0).copy()
    context.close()
    model.close()
    return vector


def _alone(name: str, folder: Path) -> Result:
    """In a process of its own: the engine may end it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.convert.parity.compare", "--alone", str(folder), name],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return Result(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        words = (done.stderr.strip().splitlines() or [""])[-1]
        return Result(name, failure=f"ended with {done.returncode}: {words[:200]}")


def write_table(results: list[Result]) -> None:
    """Put the results into the document's table; the other rows stay."""
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    rows = {row.split("|")[1].strip(): row for row in table.split("\n") if row.startswith("|")}
    rows |= {result.name: _row(result) for result in results}
    lines = ["| model | architecture | F32 | F16 | greedy | |", "|---|---|---|---|---|---|"]
    lines += [rows[name] for name in CASES if name in rows]
    DOCUMENT.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)


def _row(result: Result) -> str:
    case = CASES[result.name]
    greedy = "same" if result.greedy else "differs"
    note = case.excuse or result.failure[:100] or case.note
    return (
        f"| {result.name} | `{case.architecture}` | {result.f32:.1e} | {result.f16:.1e} "
        f"| {greedy} | {note} |"
    )


def main(arguments: list[str]) -> int:
    """Compare all cases, or those that are named."""
    folder, *wanted = arguments
    results = [_alone(name, Path(folder)) for name in wanted or CASES]
    for result in results:
        word = "ok  " if result.passed() else "FAIL"
        sys.stdout.write(
            f"{word} {result.name:28} f32 {result.f32:9.2e}  f16 {result.f16:9.2e}  "
            f"greedy {result.greedy}  {result.failure[:300]}\n"
        )
    write_table(results)
    return 0 if all(result.passed() for result in results) else 1


if __name__ == "__main__":
    if sys.argv[1] == "--alone":
        sys.stdout.write(json.dumps(asdict(compare(sys.argv[3], Path(sys.argv[2])))) + "\n")
    else:
        sys.exit(main(sys.argv[1:]))
