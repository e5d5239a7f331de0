"""Prompts ride along only as far as those who stream can bear it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from puna.runner.pace import LEAST, STRETCH, UNKNOWN, Pace

BATCH = 512


def test_alone_a_prompt_fills_the_batch() -> None:
    assert Pace().allowance(0, BATCH) == BATCH


def test_before_anything_is_known_it_is_careful() -> None:
    assert Pace().allowance(3, BATCH) == UNKNOWN
    assert Pace().allowance(3, 8) == 8


def test_a_prompt_gets_what_a_decode_can_bear() -> None:
    pace = Pace()
    pace.learn(10_000, n_streams=4, n_prompt=0)
    pace.learn(10_000 + 50 * 100, n_streams=4, n_prompt=50)
    assert pace.allowance(4, BATCH) == 100


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
