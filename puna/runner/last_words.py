"""What a runner writes to its standard error: to the log, and the end of it into error messages."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque

from puna.log import fields

__all__ = ["LastWords", "is_out_of_memory"]

log = logging.getLogger(__name__)

_KEPT = 20  # lines
_SHOWN = 3  # of them
_LEVELS = {"I ": logging.DEBUG, "W ": logging.INFO, "E ": logging.ERROR}
"""libllama is talkative: what it calls information is for debugging."""
_FAULT = re.compile(r"^E |error|assert|failed|what\(\)|exception", re.I)
"""Lines that say what went wrong. After an abort come others, with addresses."""
_OUT_OF_MEMORY = (
    "out of memory",
    "out of device memory",
    "cudamalloc failed",
    "hipmalloc failed",
    "failed to allocate",
    "unable to allocate",
    "allocation failed",
    "not enough memory",
    "insufficient memory",
    "vk_error_out_of_device_memory",
    "erroroutofmemory",
    "memoryerror",
    "bad_alloc",
)


def is_out_of_memory(errors: str) -> bool:
    """Whether what a load said means that there was too little memory."""
    return any(phrase in errors.lower() for phrase in _OUT_OF_MEMORY)


class LastWords:
    """Reads a child's standard error to its end."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT)

    def __str__(self) -> str:
        faults = [line for line in self._lines if _FAULT.search(line)]
        return "; ".join((faults or list(self._lines))[-_SHOWN:])

    @property
    def are_of_memory(self) -> bool:
        """Whether too little memory was the cause."""
        return is_out_of_memory("\n".join(self._lines))

    async def listen(self, stderr: asyncio.StreamReader | None, pid: int) -> None:
        """Log every line, and keep those that say more than what is done."""
        while stderr is not None:
            try:
                line = await stderr.readline()
            except ValueError:  # longer than the stream's limit: skipped by asyncio
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            level = _LEVELS.get(text[:2], logging.WARNING)  # unmarked: a traceback, an abort
            if level > logging.DEBUG:
                self._lines.append(text)
            log.log(level, "runner: %s", text, extra=fields(pid=pid))
