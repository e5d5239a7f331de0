"""Dividing a blob: everything once, close together, and nobody idle while there is enough to do."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from puna.models.registry.spans import Span, Spans


def runs_of(missing: set[int]) -> list[tuple[int, int]]:
    starts = sorted(unit for unit in missing if unit - 1 not in missing)
    ends = sorted(unit + 1 for unit in missing if unit + 1 not in missing)
    return list(zip(starts, ends, strict=True))


def places(span: Span | None) -> tuple[int, int] | None:
    return (span.next, span.end) if span else None


@given(
    st.sets(st.integers(0, 300)),
    st.integers(1, 40),
    st.integers(1, 100),
    st.integers(1, 8),
    st.randoms(use_true_random=False),
)
def test_every_unit_is_fetched_once(
    missing: set[int], longest: int, window: int, streams: int, chance: random.Random
) -> None:
    spans = Spans(runs_of(missing), longest, window)
    fetched: list[int] = []
    working: list[Span] = []
    while True:
        idle = streams - len(working)
        if idle and (span := spans.take()) is not None:
            working.append(span)
            continue
        if not working:
            break
        span = chance.choice(working)
        if span.next < span.end:
            fetched.append(span.next)
            span.next += 1
        if span.next >= span.end or chance.random() < 0.05:  # done, or given up
            working.remove(span)
            spans.done(span)
    assert sorted(fetched) == sorted(missing)


def test_spans_are_short_and_in_order() -> None:
    spans = Spans([(0, 10), (12, 14)], longest=4, window=100)
    taken = [spans.take() for _ in range(4)]
    assert [places(span) for span in taken] == [(0, 4), (4, 8), (8, 10), (12, 14)]


def test_the_idle_help_the_first_that_has_enough_left() -> None:
    spans = Spans([(0, 20)], longest=10, window=100)
    first, second = spans.take(), spans.take()
    assert first is not None
    assert second is not None
    third = spans.take()
    assert places(third) == (6, 10)
    assert places(first) == (0, 6)


def test_the_unit_at_work_is_nobody_elses() -> None:
    spans = Spans([(0, 5)], longest=5, window=100)
    first = spans.take()
    assert first is not None
    first.next = 1
    assert spans.take() is None


def test_nobody_runs_far_ahead_of_the_slowest() -> None:
    spans = Spans([(0, 100)], longest=10, window=20)
    slow = spans.take()
    quick = spans.take()
    assert quick is not None
    quick.next = quick.end
    spans.done(quick)
    helper = spans.take()
    assert slow is not None
    assert places(helper) == (6, 10)
    assert slow.end == 6


def test_what_was_given_up_comes_first() -> None:
    spans = Spans([(0, 100)], longest=10, window=100)
    first, second = spans.take(), spans.take()
    assert first is not None
    assert second is not None
    first.next = 3
    spans.done(first)
    assert places(spans.take()) == (3, 10)
