"""Prompts ride along only as far as those who stream can bear it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from puna.runner.pace import FIRST, GROWTH, LEAST, STRETCH, Pace

BATCH = 512


def test_alone_a_prompt_fills_the_batch() -> None:
    assert Pace().allowance(0, BATCH) == BATCH


def test_before_anything_is_known_it_is_careful() -> None:
    assert Pace().allowance(3, BATCH) == FIRST
    assert Pace().allowance(3, 2) == 2


def test_a_prompt_alone_says_nothing_about_one_in_company() -> None:
    pace = Pace()
    pace.learn(100, n_streams=0, n_prompt=512)
    pace.learn(10_000, n_streams=2, n_prompt=0)
    assert pace.allowance(2, BATCH) == FIRST


def test_a_prompt_gets_what_a_decode_can_bear() -> None:
    pace = Pace()
    pace.learn(10_000, n_streams=4, n_prompt=0)
    pace.learn(10_000 + 50 * 100, n_streams=4, n_prompt=50)
    assert pace.allowance(4, BATCH) == int((STRETCH - 1) * 100)


def test_a_prompt_always_gets_on() -> None:
    pace = Pace()
    pace.learn(10, n_streams=1, n_prompt=0)
    pace.learn(10_000_000, n_streams=1, n_prompt=10)
    assert pace.allowance(1, BATCH) == LEAST


@given(decode=st.integers(1_000, 10**9), token=st.integers(1, 10**8))
def test_the_decode_stays_within_its_stretch(decode: int, token: int) -> None:
    pace = Pace()
    pace.learn(decode, n_streams=2, n_prompt=0)
    pace.learn(decode + 64 * token, n_streams=2, n_prompt=64)
    count = pace.allowance(2, BATCH)
    assert LEAST <= count <= BATCH
    assert count == LEAST or decode + count * token <= STRETCH * decode + token


@given(
    fixed=st.integers(1_000, 10**7),
    width=st.floats(1, 10**6),
    bump=st.floats(0, 0.5),
    n_streams=st.integers(1, 16),
)
def test_no_decode_with_a_prompt_takes_three_plain_ones(
    fixed: int, width: float, bump: float, n_streams: int
) -> None:
    """Where a decode costs so much, so much more with a prompt, and so much for each token."""
    pace = Pace()
    plain = int(fixed + width * n_streams)
    pace.learn(plain, n_streams, 0)
    for _ in range(60):
        count = pace.allowance(n_streams, BATCH)
        if not count:
            pace.learn(plain, n_streams, 0)
            continue
        duration = int(plain * (1 + bump) + width * count)
        assert duration <= 3 * plain or count <= max(LEAST, FIRST)
        pace.learn(duration, n_streams, count)
    assert duration <= (STRETCH + 0.3) * plain or count == LEAST
    assert duration >= (STRETCH - 0.3) * plain or count == BATCH


def test_riders_grow_step_by_step() -> None:
    pace = Pace()
    pace.learn(10**9, n_streams=1, n_prompt=0)
    pace.learn(10**9, n_streams=1, n_prompt=FIRST)
    assert pace.allowance(1, BATCH) == GROWTH * FIRST


def test_what_streams_cost_is_measured_while_a_prompt_is_read() -> None:
    """The longer the prompt, the dearer the streams: the comparison must not be an old one."""
    pace = Pace()
    pace.learn(1000, n_streams=4, n_prompt=0)
    for done in range(400):
        plain = 1000 + 10 * done
        count = pace.allowance(4, BATCH)
        pace.learn(plain + 50 * count, 4, count)
    assert count == 0 or 1.4 <= (plain + 50 * count) / plain <= 2.5
    assert count == 0 or count > 40
