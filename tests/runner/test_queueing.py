"""Priorities: who is first, who goes, and that everybody's turn comes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.runner.protocol import Priority
from puna.runner.queueing import RISE_NS, in_turn, victim

PRIORITIES: list[Priority] = ["high", "normal", "low"]


@dataclass(frozen=True)
class Waiting:
    """Somebody who asked at a time."""

    name: str
    priority: Priority
    arrived_ns: int


def names(waiting: list[Waiting], now: int) -> str:
    return "".join(each.name for each in in_turn(waiting, now))


A_LOW, B_NORMAL, C_HIGH, D_HIGH = (
    Waiting("a", "low", 1),
    Waiting("b", "normal", 2),
    Waiting("c", "high", 3),
    Waiting("d", "high", 4),
)

TURNS = {
    "by rank, then arrival": (4, "cdba"),
    "after one rise all at once": (RISE_NS + 3, "cbda"),
    "who waited long enough is first": (3 * RISE_NS + 1, "abcd"),
}


@pytest.mark.parametrize(("now", "expected"), TURNS.values(), ids=TURNS)
def test_turns(now: int, expected: str) -> None:
    arrived_late = [A_LOW, B_NORMAL, C_HIGH, D_HIGH]
    if expected == "abcd":
        arrived_late = [A_LOW, B_NORMAL] + [
            Waiting(each.name, each.priority, now) for each in (C_HIGH, D_HIGH)
        ]
    assert names(arrived_late, now) == expected


def test_the_least_important_goes_and_among_them_the_last_to_come() -> None:
    late = Waiting("e", "low", 9)
    assert victim([A_LOW, late, B_NORMAL, C_HIGH]) is late
    assert victim([B_NORMAL, C_HIGH]) is B_NORMAL


@given(st.lists(st.sampled_from(PRIORITIES), min_size=1, max_size=8))
def test_nobody_waits_for_ever(newcomers: list[Priority]) -> None:
    """However many come later, and however important: after three rises it is one's turn."""
    old = Waiting("old", "low", 0)
    now = 3 * RISE_NS
    others = [Waiting("new", each, now - RISE_NS + 1) for each in newcomers]
    assert in_turn([*others, old], now)[0] is old
