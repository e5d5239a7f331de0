"""Whether a person is there, and what may be shown to one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TextIO

from puna.config import user_environment

__all__ = ["has_colours", "is_at_terminal", "is_terminal", "moves_cursor"]

_DUMB = frozenset({"dumb", "unknown"})


def is_at_terminal() -> bool:
    """Whether a person may be asked: both input and output are a terminal."""
    return is_terminal(sys.stdin) and is_terminal(sys.stdout)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether the stream is a terminal; a closed one is None."""
    return stream is not None and stream.isatty()


def moves_cursor(out: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether `out` is a terminal that knows escape codes, by its `TERM`."""
    variables = user_environment() if environ is None else environ
    return is_terminal(out) and variables.get("TERM", "").lower() not in _DUMB


def has_colours(out: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether colours may be shown there: not where `NO_COLOR` says something."""
    variables = user_environment() if environ is None else environ
    return moves_cursor(out, variables) and not variables.get("NO_COLOR")
