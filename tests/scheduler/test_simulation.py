"""The scheduler against first come, first served, on traces of agents in simulated time."""

from __future__ import annotations

from bench.schedule import PRIORITIES, compare, together

SEEDS = (1, 3)
LONGEST = 120.0  # seconds: two holds


def test_fewer_swaps_and_the_important_hardly_wait() -> None:
    both = [compare(seed, 500) for seed in SEEDS]
    puna = together([each.puna for each in both])
    assert puna.swaps <= 0.6 * sum(each.plain.swaps for each in both)
    alone = together([each.alone for each in both])
    assert puna.p99("high") <= 1.5 * alone.p99("high")
    assert sum(len(puna.waits[priority]) for priority in PRIORITIES) == 500 * len(SEEDS)
    assert max(max(waits) for waits in puna.waits.values()) < LONGEST, "nobody starves"


def test_a_seed_decides_everything() -> None:
    assert compare(5, 60) == compare(5, 60)
