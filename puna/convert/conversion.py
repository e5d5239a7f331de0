"""A folder of Hugging Face files becomes GGUF, in a child process: how it is ordered and what it
tells.

The work itself is in converter.py, which only the child runs. The folder is a path that we chose;
what is in it comes from strangers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from puna.convert import working
from puna.errors import ConverterFailed, ConvertError

__all__ = ["Conversion", "Order", "Said", "Written", "convert"]

CHILD = "puna.convert.converter"


class Order(msgspec.Struct, frozen=True):
    """What the child is to do. `base` is an adapter's model, a GGUF file; `type` may be empty, and
    `projector` where no encoder is to be written.
    """

    kind: Literal["model", "adapter"]
    source: str
    target: str
    type: str = ""
    base: str = ""
    projector: str = ""
    allow_pickle: bool = False


class Written(msgspec.Struct, frozen=True):
    """A file that the child has written. `architecture` is an adapter's base's, too."""

    path: str
    role: Literal["model", "projector", "adapter"]
    architecture: str
    type: str


class Said(working.Said, frozen=True, omit_defaults=True):
    """One line of the child's: tensors done and in all, what was written at the end, or why it
    failed.
    """

    written: tuple[Written, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversion:
    """Files in the folder `source` to be written as the file `target`.

    A projector is written beside it, its name with `.projector` at the end. `type` is F32, F16 or
    BF16, empty for what suits the weights. An adapter needs `base`, the GGUF file of the model it
    belongs to. Weights in files of torch's are refused unless `allow_pickle`.
    """

    kind: Literal["model", "adapter"]
    source: Path
    target: Path
    type: str = ""
    base: Path | None = None
    allow_pickle: bool = False

    @property
    def projector(self) -> Path:
        """Where encoders are written, if there are some."""
        return self.target.with_name(f"{self.target.name}.projector")


async def convert(work: Conversion) -> AsyncGenerator[Said, None]:
    """Do it; each tensor is told, the last word says what was written. Who stops listening ends the
    work.

    Raises ConvertError with the child's words; nothing is left of what failed.
    """
    base = str(work.base) if work.base else ""
    order = Order(
        work.kind,
        str(work.source),
        str(work.target),
        work.type,
        base,
        str(work.projector),
        work.allow_pickle,
    )
    finished = False
    child = working.work_in_child(CHILD, order, "converter", ConvertError, "convert", Said)
    try:
        async with aclosing(child) as steps:
            async for said in steps:
                finished = finished or bool(said.written)
                yield said
        if not finished:
            raise ConverterFailed("the converter ended without a word")
    except BaseException:
        finished = False
        raise
    finally:
        if not finished:
            await asyncio.to_thread(_forget, work)


def _forget(work: Conversion) -> None:
    for path in (work.target, work.projector):
        with contextlib.suppress(OSError):
            path.unlink()
