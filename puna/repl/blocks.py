'''Lines to entries: a text between `"""` and `"""` is one. Pure; facts: CLI spec, section 2.3.'''

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Blocks", "Entry"]

QUOTES = '"""'

_SYSTEM = re.compile(r'/set\s+system\s+"""')


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing entered: a `line` (perhaps a command), a quoted `block`, or a new `system` text."""

    text: str
    kind: Literal["line", "block", "system"] = "line"


class Blocks:
    """Collects lines while a block is open."""

    def __init__(self) -> None:
        self._kind: Literal["block", "system"] | None = None
        self._lines: list[str] = []

    @property
    def is_open(self) -> bool:
        """Whether the next line continues a block."""
        return self._kind is not None

    def feed(self, line: str) -> Entry | None:
        """Take a line; returns an entry when one is complete."""
        if self._kind is None:
            if line.startswith(QUOTES):
                self._kind, line = "block", line[len(QUOTES) :]
            elif match := _SYSTEM.match(line):
                self._kind, line = "system", line[match.end() :]
            else:
                return Entry(line)
        closing = line.endswith(QUOTES)
        self._lines.append(line.removesuffix(QUOTES))
        if not closing:
            return None
        entry = Entry("\n".join(self._lines), self._kind)
        self.reset()
        return entry

    def reset(self) -> None:
        """Forget an open block."""
        self._kind, self._lines = None, []
