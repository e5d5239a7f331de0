"""Which files make up a prompt, and what is worth one."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.runner.warm.choose import Kept, by_value, cover, longest_whole
from puna.runner.warm.form import Entry

RUNS = st.lists(
    st.tuples(st.lists(st.integers(0, 1), min_size=1, max_size=8), st.integers(0, 7)), max_size=8
)


def entry(tokens: list[int], start: int = 0) -> Entry:
    return Entry(Path("x"), start, array("i", tokens), 1, b"")


@given(RUNS, st.lists(st.integers(0, 1), max_size=8), st.integers(0, 4))
def test_runs_join_without_a_gap_and_reach_as_far_as_can_be(
    runs: list[tuple[list[int], int]], prompt: list[int], start: int
) -> None:
    entries = [entry(tokens, first) for tokens, first in runs if first < len(tokens)]
    parts = cover(entries, array("i", prompt), start)
    reached = start
    for part in parts:
        assert part.entry.start <= part.start == reached < part.end
        assert list(part.entry.tokens[: part.end]) == prompt[: part.end]
        reached = part.end
    for each in entries:  # nothing that there is goes further
        if each.start <= reached and reached < len(prompt):
            assert list(each.tokens[: reached + 1]) != prompt[: reached + 1]


WHOLE: dict[str, tuple[list[list[int]], list[int], int]] = {
    "the longest": ([[1], [1, 2], [1, 2, 3]], [1, 2, 3, 4], 3),
    "not one that goes on otherwise": ([[1], [1, 2, 9]], [1, 2, 3, 4], 1),
    "not one that goes on": ([[1, 2, 3, 4]], [1, 2, 3], 0),
    "none": ([], [1, 2], 0),
}


@pytest.mark.parametrize(("saved", "prompt", "length"), WHOLE.values(), ids=WHOLE)
def test_whole_sequences(saved: list[list[int]], prompt: list[int], length: int) -> None:
    part = longest_whole(map(entry, saved), array("i", prompt))
    assert (part.end if part else 0) == length


def test_a_run_that_needs_what_comes_before_is_not_whole() -> None:
    assert longest_whole([entry([1, 2, 3], 1)], array("i", [1, 2, 3, 4])) is None


VALUES: dict[str, tuple[list[Kept], list[int]]] = {
    "longer": ([Kept(1, [0] * 10), Kept(2, [0] * 30)], [2, 1]),
    "more often used": ([Kept(1, [0] * 10), Kept(2, [0] * 10, uses=1)], [2, 1]),
    "more recently used": ([Kept(1, [0] * 10), Kept(2, [0] * 10)], [1, 2]),
}


@pytest.mark.parametrize(("kept", "order"), VALUES.values(), ids=VALUES)
def test_worth(kept: list[Kept], order: list[int]) -> None:
    assert [each.sequence for each in by_value(kept)] == order
