"""Whether a person is there."""

from __future__ import annotations

import sys
from typing import TextIO

__all__ = ["is_at_terminal", "is_terminal"]


def is_at_terminal() -> bool:
    """Whether a person may be asked: both input and output are a terminal."""
    return is_terminal(sys.stdin) and is_terminal(sys.stdout)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether the stream is a terminal; a closed one is None."""
    return stream is not None and stream.isatty()
