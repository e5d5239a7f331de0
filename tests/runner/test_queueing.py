"""Priorities: who is first, who goes, and that everybody's turn comes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.runner.protocol import Priority
from puna.runner.queueing import RISE_NS, Turns, victim
from tests.fakes.cells import never_end
from tests.runner.test_loop import World

PRIORITIES: list[Priority] = ["high", "normal", "low"]


@dataclass(frozen=True)
class Waiting:
    """Somebody who asked at a time."""

    name: str
    priority: Priority
    arrived_ns: int
    client: str = ""
    n_preempted: int = 0


def names(waiting: list[Waiting], now: int) -> str:
    return "".join(each.name for each in Turns().order(waiting, [], now))


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


def test_who_had_to_go_before_goes_later() -> None:
    again = Waiting("e", "low", 9, n_preempted=2)
    assert victim([again, C_HIGH]) is again
    assert victim([again, B_NORMAL, C_HIGH]) is B_NORMAL
    assert victim([Waiting("e", "low", 9, n_preempted=3), C_HIGH]) is C_HIGH


@given(st.lists(st.sampled_from(PRIORITIES), min_size=1, max_size=8))
def test_nobody_waits_for_ever(newcomers: list[Priority]) -> None:
    """However many come later, and however important: after three rises it is one's turn."""
    old = Waiting("old", "low", 0)
    now = 3 * RISE_NS
    others = [Waiting("new", each, now - RISE_NS + 1) for each in newcomers]
    assert next(Turns().order([*others, old], [], now)) is old


def by(client: str, name: str, priority: Priority = "normal", arrived: int = 0) -> Waiting:
    return Waiting(name, priority, arrived, client)


SHARES: dict[str, tuple[list[Waiting], list[Waiting], str]] = {
    "clients take turns": (
        [
            by("a", "1"),
            by("a", "2"),
            by("a", "3"),
            by("b", "4", arrived=9),
            by("c", "5", arrived=9),
        ],
        [],
        "14523",
    ),
    "who has nothing running is first": (
        [by("a", "1"), by("b", "2", arrived=9)],
        [by("a", "x")],
        "21",
    ),
    "importance counts as a larger share": (
        [by("a", "1", "high"), by("a", "2", "high"), by("b", "3", "low")],
        [by("a", "x"), by("a", "y"), by("b", "z")],
        "123",
    ),
}


@pytest.mark.parametrize(("waiting", "running", "expected"), SHARES.values(), ids=SHARES)
def test_clients_share(waiting: list[Waiting], running: list[Waiting], expected: str) -> None:
    order = Turns().order(waiting, running, 10)
    assert "".join(each.name for each in order) == expected


def test_a_client_with_a_long_queue_has_not_waited_while_it_is_served() -> None:
    """Its oldest requests are older than the newcomer's, but it was just served."""
    turns, now = Turns(), 5 * RISE_NS
    turns.serve("a", now - 1)
    crowd = [by("a", str(n)) for n in range(5)]
    assert next(turns.order([*crowd, by("b", "b", arrived=now - 9)], [], now)).name == "b"


@given(st.integers(1, 30))
def test_a_client_that_gets_nothing_rises(n_running: int) -> None:
    """However much of it runs, and whatever newcomers there are."""
    now = (n_running + 4) * RISE_NS
    old = by("a", "old", "low")
    newcomers = [by(str(n), "new", "high", now) for n in range(9)]
    running = [by("a", "x")] * n_running
    assert next(Turns().order([*newcomers, old], running, now)) is old


def test_whose_client_has_most_gives_way_first() -> None:
    late = by("b", "late", arrived=9)
    running = [by("a", "1"), by("a", "2", arrived=1), late]
    assert victim(running).name == "2"
    assert victim([*running, by("b", "low", "low")]).name == "low"


def test_who_matters_least_ends_although_more_important_ones_keep_coming() -> None:
    """They take its cells, but not again and again."""
    step = 0
    world = World(400, 8, 8, clock=lambda: step * 50_000_000)
    world.context._says = never_end
    low = world.admit([1] * 200, 100, "patient", n_ctx=400, priority="low")
    while not world.told[low].ends:
        live = sum(not told.ends for told in world.told.values()) - 1
        for number in range(len(world.told), len(world.told) + 3 - live):
            prompt = [5 + number, *[2] * 9]
            world.admit(prompt, 100, str(number % 5), n_ctx=400, priority="high")
        world.loop.step()
        step += 1
        assert step < 1500
