"""Where images lie among tokens, and positions there."""

from __future__ import annotations

import pytest

from puna.runner.spans import Span, n_text, outside, position_of

SPANS = (Span(3, 7, 4), Span(10, 19, 3))  # one that takes its tokens' positions, one that does not

LENGTHS = {
    "nothing": (0, 0, 0, 0),
    "text": (3, 3, 3, 3),
    "inside the first": (5, 3, 3, 3),
    "after the first": (7, 7, 7, 3),
    "text between": (10, 10, 10, 3),
    "inside the second": (18, 10, 10, 3),
    "after the second": (19, 13, 19, 3),
    "text after": (25, 19, 25, 3),
}


@pytest.mark.parametrize(("length", "position", "whole", "text"), LENGTHS.values(), ids=LENGTHS)
def test_lengths(length: int, position: int, whole: int, text: int) -> None:
    assert position_of(SPANS, length) == position
    assert outside(SPANS, length) == whole
    assert n_text(SPANS, length) == text
    assert (position_of((), length), outside((), length), n_text((), length)) == (length,) * 3
