"""What a runner writes to its standard error: to the log, and the end of it into error messages."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from puna.log import fields

__all__ = ["LastWords"]

log = logging.getLogger(__name__)

_KEPT = 20  # lines
_SHOWN = 3  # of them
_LEVELS = {"I ": logging.DEBUG, "W ": logging.INFO, "E ": logging.ERROR}
"""libllama is talkative: what it calls information is for debugging."""


class LastWords:
    """Reads a child's standard error to its end."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT)

    def __str__(self) -> str:
        return "; ".join(list(self._lines)[-_SHOWN:])

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
