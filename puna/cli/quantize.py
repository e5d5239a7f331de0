"""`puna quantize IN.gguf OUT.gguf TYPE`: fewer bits for a model file, without a server."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

from puna.cli.command import command, exactly, json_option, option
from puna.cli.follow import progress
from puna.cli.output import print_object
from puna.convert.quantize import Quantization
from puna.convert.quantize_file import FileOrder, plan, quantize_file
from puna.fmt import human_bytes
from puna.term.progress import Bar

__all__ = ["COMMAND"]


@command(
    "quantize",
    completes=("file", "file", ""),
    usage="IN.gguf OUT.gguf TYPE",
    words=exactly(3),
    help="Make a model file smaller (e.g. to q4_K_M)",
)
@option("--imatrix", help="File that says which weights matter; some types need one")
@option("-f", "--force", kind="bool", help="Replace OUT.gguf if it is there")
@json_option
def COMMAND(words: tuple[str, ...], imatrix: str, force: bool, json: bool) -> None:
    source, target = (Path(word).expanduser() for word in words[:2])
    matrix = Path(imatrix).expanduser() if imatrix else None
    work = plan(FileOrder(source, target, words[2], matrix), replace=force)
    before = source.stat().st_size
    with progress(as_json=json) as shown:
        bar = Bar(f"quantizing {work.before} model to {work.level}", before)
        shown.add(bar)
        asyncio.run(_follow(work, bar))
    if json:
        print_object({"file": target, "size": target.stat().st_size, "before": before})
        return
    print(f"{target}: {human_bytes(target.stat().st_size)}, was {human_bytes(before)}")


async def _follow(work: Quantization, bar: Bar) -> None:
    async with aclosing(quantize_file(work)) as fractions:
        async for fraction in fractions:
            bar.set(int(bar.total * fraction))
