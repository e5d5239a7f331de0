"""Long work in a child process: an order as JSON on its stdin, lines of JSON on its stdout.

The parent's side. Who stops listening kills the child.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from puna.config import child_environment
from puna.errors import ConverterFailed, ConvertError, StoreFull

__all__ = ["Said", "explain", "free_bytes", "work_in_child"]

_FULL = 16 << 20  # bytes: less than a tensor's worth of room
_LAST_WORDS = 64 * 1024  # bytes of the child's stderr that are looked at


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the child's: how much is done and in all, or why it failed."""

    done: int = 0
    total: int = 0
    failure: str = ""


S = TypeVar("S", bound=Said)


async def work_in_child(
    module: str,
    order: msgspec.Struct,
    name: str,
    failed: type[ConvertError],
    verb: str,
    lines: type[S],
) -> AsyncGenerator[S, None]:
    """Run the module with this order, and hand on what it says, read as `lines`.

    Raises `failed`, `cannot <verb>: …`, for what the child says, ConverterFailed where it ends.
    """
    said_by = msgspec.json.Decoder(lines)
    with tempfile.TemporaryFile() as words:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=words,
            env=child_environment() | {"GGML_NO_BACKTRACE": "1"},
        )
        try:
            async for line in _talk(process, order):
                said = said_by.decode(line)
                if said.failure:
                    raise failed(f"cannot {verb}: {said.failure}")
                yield said
            if await process.wait() != 0:
                raise ConverterFailed(f"the {name} ended: {_cause(process.returncode, words)}")
        finally:
            _kill(process)
            await process.wait()


async def _talk(process: asyncio.subprocess.Process, order: msgspec.Struct) -> AsyncIterator[bytes]:
    """Give the child its order; what it says, as long as it says anything."""
    if process.stdin is None or process.stdout is None:
        raise ConverterFailed("a child process has no pipes")
    with contextlib.suppress(ConnectionError):  # it died: its exit status tells more
        process.stdin.write(msgspec.json.encode(order))
        await process.stdin.drain()
        process.stdin.close()
    while line := await process.stdout.readline():
        yield line


def _kill(process: asyncio.subprocess.Process) -> None:
    # not Process.kill(): it polls first, and so takes the exit status from asyncio's watcher
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _cause(code: int | None, words: IO[bytes]) -> str:
    how = f"exit status {code}"
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            how = f"killed by {signal.Signals(-code).name}"
        if code != -signal.SIGABRT:  # by which the engine ends its process, and says why
            return how
    words.seek(0)
    lines = words.read(_LAST_WORDS).decode("utf-8", "replace").strip().splitlines()
    return how + "".join(f": {line}" for line in lines[-1:])


def free_bytes(folder: Path) -> int:
    """Room on the folder's disk."""
    return shutil.disk_usage(folder).free


def explain(failure: ConvertError, folder: Path, free: int) -> ConvertError | StoreFull:
    """The failure, or that the disk is full, which a child process may not be able to say; one that
    is has removed what it had written.
    """
    if free < _FULL or os.strerror(errno.ENOSPC) in str(failure):
        return StoreFull(f"no space left on the disk of {folder}: free some and retry")
    return failure
