"""How long a prompt may be, and how much a full context drops."""

from __future__ import annotations

import pytest

from puna.runner.batch import discard_count, prompt_limit

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
