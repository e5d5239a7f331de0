"""The exported Hugging Face folder as GGUF, by Puna's own conversion and quantiser.

python -m training.cria.to_gguf --folder build/cria/export
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import aclosing
from pathlib import Path

from puna.convert.conversion import Conversion, convert
from puna.convert.quantize_file import FileOrder, plan, quantize_file

__all__ = ["main", "write_both"]


def main() -> None:
    """Read the command line and write both files into the folder."""
    parser = argparse.ArgumentParser(description="Convert cria's folder.")
    parser.add_argument("--folder", type=Path, default=Path("build/cria/export"))
    folder = parser.parse_args().folder
    asyncio.run(write_both(folder, folder / "cria-f32.gguf", folder / "cria-q8_0.gguf"))


async def write_both(folder: Path, whole: Path, small: Path) -> None:
    """Write the folder's model as F32 to `whole` and as Q8_0 to `small`, in place of what is there.

    Raises ConvertError, OSError.
    """
    async with aclosing(convert(Conversion("model", folder, whole, "F32"))) as steps:
        async for _ in steps:
            pass
    order = plan(FileOrder(whole, small, "q8_0"), replace=True)
    async with aclosing(quantize_file(order)) as fractions:
        async for _ in fractions:
            pass


if __name__ == "__main__":
    main()
