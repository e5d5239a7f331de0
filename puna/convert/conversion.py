"""A folder of Hugging Face files becomes GGUF, in a child process: how it is ordered and what it
tells.

The work itself is in converter.py, which only the child runs. The folder is a path that we chose;
what is in it comes from strangers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import msgspec

from puna.config import child_environment
from puna.errors import ConvertError

__all__ = ["Conversion", "Order", "Said", "Written", "convert"]

_LAST_WORDS = 64 * 1024  # bytes of the child's stderr that are looked at


class Order(msgspec.Struct, frozen=True):
    """What the child is to do. `base` is an adapter's model, a GGUF file; `type` may be empty."""

    kind: Literal["model", "adapter"]
    source: str
    target: str
    type: str = ""
    base: str = ""


class Written(msgspec.Struct, frozen=True):
    """A file that the child has written. `architecture` is an adapter's base's, too."""

    path: str
    role: Literal["model", "projector", "adapter"]
    architecture: str
    type: str


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the child's: tensors done and in all, what was written at the end, or why it
    failed.
    """

    done: int = 0
    total: int = 0
    written: tuple[Written, ...] = ()
    failure: str = ""


_SAID = msgspec.json.Decoder(Said)


@dataclass(frozen=True, slots=True)
class Conversion:
    """Files in the folder `source` to be written as the file `target`.

    A projector is written beside it, its name with `.projector` at the end. `type` is F32, F16 or
    BF16, empty for what suits the weights. An adapter needs `base`, the GGUF file of the model it
    belongs to.
    """

    kind: Literal["model", "adapter"]
    source: Path
    target: Path
    type: str = ""
    base: Path | None = None

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
    order = Order(work.kind, str(work.source), str(work.target), work.type, base)
    finished = False
    with tempfile.TemporaryFile() as words:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "puna.convert.converter",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=words,
            env=child_environment() | {"GGML_NO_BACKTRACE": "1"},
        )
        try:
            if process.stdin is None or process.stdout is None:
                raise ConvertError("the converter has no pipes")
            with contextlib.suppress(ConnectionError):  # it died: its exit status tells more
                process.stdin.write(msgspec.json.encode(order))
                await process.stdin.drain()
                process.stdin.close()
            while line := await process.stdout.readline():
                said = _SAID.decode(line)
                if said.failure:
                    raise ConvertError(f"cannot convert: {said.failure}")
                finished = finished or bool(said.written)
                yield said
            if await process.wait() != 0 or not finished:
                finished = False
                raise ConvertError(f"the converter ended: {_cause(process.returncode, words)}")
        finally:
            _kill(process)
            await process.wait()
            if not finished:
                await asyncio.to_thread(_forget, work)


def _forget(work: Conversion) -> None:
    for path in (work.target, work.projector):
        with contextlib.suppress(OSError):
            path.unlink()


def _kill(process: asyncio.subprocess.Process) -> None:
    # not Process.kill(): it polls first, and so takes the exit status from asyncio's watcher
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _cause(code: int | None, words: IO[bytes]) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    words.seek(0)
    lines = words.read(_LAST_WORDS).decode("utf-8", "replace").strip().splitlines()
    return f"exit status {code}" + "".join(f": {line}" for line in lines[-1:])
