"""Where media lie among a sequence's tokens, and which positions its tokens have. Pure.

An image, or a part of a recording, takes a cell for each of its tokens; in models that place things
in three dimensions an image has fewer positions. Each is one whole: no prefix ends inside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Span", "n_text", "outside", "position_of"]


class Span(NamedTuple):
    """The tokens from `start` to `end` are one medium; what follows is `n_positions` further on."""

    start: int
    end: int
    n_positions: int


def position_of(spans: Sequence[Span], length: int) -> int:
    """The position of the token after the first `length`; inside a medium, where that begins."""
    position = length
    for span in spans:
        if length >= span.end:
            position -= span.end - span.start - span.n_positions
        elif length > span.start:
            position -= length - span.start
    return position


def outside(spans: Sequence[Span], length: int) -> int:
    """The longest beginning of at most `length` tokens that does not end inside a medium."""
    return next((span.start for span in spans if span.start < length < span.end), length)


def n_text(spans: Sequence[Span], length: int) -> int:
    """How many of the first `length` tokens come before any medium."""
    return min(spans[0].start, length) if spans else length
