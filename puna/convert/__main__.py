"""Converts a folder from the command line, for tests and for us: python -m puna.convert FOLDER FILE
[TYPE].
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path

from puna.convert.conversion import Conversion, convert
from puna.errors import ConvertError

USAGE = "python -m puna.convert FOLDER FILE [F32|F16|BF16] | FOLDER FILE --base MODEL.gguf"


async def run(work: Conversion) -> None:
    """Convert, with a line for every file."""
    async with aclosing(convert(work)) as steps:
        async for said in steps:
            for file in said.written:
                sys.stdout.write(f"{file.role} {file.architecture} {file.type} {file.path}\n")


def main(arguments: list[str]) -> int:
    """Read the command line; gives the exit status."""
    base = None
    if "--base" in arguments[2:-1]:
        base = Path(arguments[-1])
        arguments = arguments[:2]
    if not 2 <= len(arguments) <= 3:
        sys.stderr.write(f"usage: {USAGE}\n")
        return 2
    source, target, *kind = arguments
    work = Conversion(
        "adapter" if base else "model", Path(source), Path(target), "".join(kind), base
    )
    try:
        asyncio.run(run(work))
    except ConvertError as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
