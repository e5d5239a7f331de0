"""Who gets how many tokens of the next decode, and how much a full context drops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.runner.batch import Share, Want, discard_count, plan_batch, prompt_limit

PLANS: dict[str, tuple[list[int], int, list[int]]] = {
    "nothing to do": ([], 8, []),
    "everybody decodes": ([1, 1, 1], 8, [1, 1, 1]),
    "a prompt fills what the streams leave": ([1, 100, 1], 8, [1, 6, 1]),
    "two prompts share": ([100, 100], 8, [4, 4]),
    "what a short prompt leaves goes to the long one": ([2, 100], 8, [2, 6]),
    "more sequences than budget": ([1, 1, 1], 2, [1, 1]),
}


@pytest.mark.parametrize(("pending", "budget", "counts"), PLANS.values(), ids=PLANS)
def test_plans(pending: list[int], budget: int, counts: list[int]) -> None:
    wants = [Want(key, count) for key, count in enumerate(pending)]
    assert plan_batch(wants, budget) == [Share(key, count) for key, count in enumerate(counts)]


def test_an_allowance_bounds_the_prompts_and_nobody_else() -> None:
    wants = [Want(0, 1), Want(1, 100), Want(2, 100), Want(3, 1)]
    counts = [share.count for share in plan_batch(wants, 512, allowance=10)]
    assert counts == [1, 6, 6, 1]
    assert [share.count for share in plan_batch(wants, 512, allowance=0)] == [1, 1, 1, 1]


def test_clients_share_before_their_requests_do() -> None:
    wants = [Want(key, 100, client="many") for key in range(3)] + [Want(3, 100, client="one")]
    assert [share.count for share in plan_batch(wants, 64)] == [11, 11, 11, 31]
    wants[3] = Want(3, 100, weight=2, client="one")
    assert [share.count for share in plan_batch(wants, 94)] == [11, 11, 11, 61]


@given(st.lists(st.integers(1, 5000), max_size=40), st.integers(1, 600))
def test_the_budget_is_used_and_never_exceeded(pending: list[int], budget: int) -> None:
    wants = [Want(key, count) for key, count in enumerate(pending)]
    shares = plan_batch(wants, budget)
    total = sum(share.count for share in shares)
    assert total == min(budget, sum(pending[:budget]))
    assert all(1 <= share.count <= pending[share.key] for share in shares)
    assert len(shares) == min(len(pending), budget)  # nobody who fits gets nothing


LIMITS = {
    "8, keep 3": (8, 3, 6),
    "4096, keep 4": (4096, 4, 2050),
    "4096, keep 5": (4096, 5, 2051),
    "keep more than there is": (8, 99, 7),
    "a context of one": (1, 4, 0),
}


@pytest.mark.parametrize(("n_ctx", "n_keep", "limit"), LIMITS.values(), ids=LIMITS)
def test_prompt_limits(n_ctx: int, n_keep: int, limit: int) -> None:
    assert prompt_limit(n_ctx, n_keep) == limit


DISCARDS = {
    "full": (2048, 5, 2048, 1021),
    "almost all kept": (2048, 2047, 2048, 1),
    "nothing kept": (2048, 0, 2048, 1024),
    "over-full": (2048, 5, 5000, 3973),
    "over-full and almost all kept": (2048, 2047, 5000, 2953),
    "plenty of room": (2048, 5, 512, 0),
}


@pytest.mark.parametrize(("n_ctx", "n_keep", "length", "count"), DISCARDS.values(), ids=DISCARDS)
def test_discards(n_ctx: int, n_keep: int, length: int, count: int) -> None:
    assert discard_count(n_ctx, n_keep, length) == count
