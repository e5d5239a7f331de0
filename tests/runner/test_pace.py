"""Prompts ride along only as far as those who stream can bear it."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from puna.runner.pace import Pace
from puna.runner.riders import LEAST, STRETCH, WIDTHS

BATCH = 512


def fewest(n_streams: int) -> int:
    """Riders that fill the narrowest decode in which there is room for some."""
    return next(width - n_streams for width in WIDTHS if width - n_streams >= LEAST)


def test_alone_a_prompt_fills_the_batch() -> None:
    assert Pace().allowance(0, BATCH) == BATCH


def test_before_anything_is_known_it_is_careful() -> None:
    assert Pace().allowance(3, BATCH) == fewest(3)
    assert Pace().allowance(3, 2) == 2


def test_a_prompt_alone_says_nothing_about_one_in_company() -> None:
    pace = Pace()
    pace.learn(100, n_streams=0, n_prompt=512)
    pace.learn(10_000, n_streams=2, n_prompt=0)
    assert pace.allowance(2, BATCH) == fewest(2)


def test_a_prompt_always_gets_on() -> None:
    pace = Pace()
    pace.learn(10, n_streams=1, n_prompt=0)
    pace.learn(10_000_000, n_streams=1, n_prompt=10)
    assert pace.allowance(1, BATCH) == fewest(1)


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
    plain_ones = dear = 0
    for _ in range(300):
        count = pace.allowance(n_streams, BATCH)
        if not count:
            pace.learn(plain, n_streams, 0)
            plain_ones += 1
            continue
        duration = int(plain * (1 + bump) + width * count)
        dear += duration > 3 * plain
        pace.learn(duration, n_streams, count)
    assert plain_ones >= 30
    assert dear <= 3, "it takes a few to find out how few are cheap enough"
    affordable = [
        each
        for each in WIDTHS
        if plain * (1 + bump) + width * (each - n_streams) <= STRETCH * plain
    ]
    wider = [each for each in WIDTHS if each > max(affordable, default=0)][:1]
    next_wider = (wider or WIDTHS[-1:])[0] - n_streams
    assert count <= max(fewest(n_streams), next_wider)


def test_riders_that_cost_nothing_soon_fill_the_batch() -> None:
    pace = Pace()
    pace.learn(10**9, n_streams=1, n_prompt=0)
    for _ in range(40):
        pace.learn(10**9, 1, pace.allowance(1, BATCH))
    assert pace.allowance(1, BATCH) in (0, BATCH)


def test_more_riders_are_tried_where_some_are_dear_and_more_cost_no_more() -> None:
    """As where tokens are computed in blocks of 16."""
    pace = Pace()
    counts: Counter[int] = Counter()
    for _ in range(200):
        count = pace.allowance(4, BATCH)
        counts[count] += 1
        pace.learn(10_000 + 6_000 * -(-count // 16), 4, count)
    assert counts.most_common(1)[0][0] == 12, "with 4 streams, a block"


def test_riders_of_a_long_prompt_become_fewer_than_fill_a_width() -> None:
    """Each looks at all that was read: 4,000 tokens deep four cost two plain decodes."""
    pace = Pace()
    plain, read, longest = 33_000, 0, 0
    pace.learn(plain, 4, 0)
    while read < 4000:
        count = pace.allowance(4, BATCH)
        duration = plain + count * (400 + 5 * read)
        longest = max(longest, duration)
        pace.learn(duration, 4, count)
        read += count
    assert longest < 3 * plain < plain + LEAST * (400 + 5 * read)


def test_riders_become_fewer_when_they_become_dear() -> None:
    pace = Pace()
    for price in (10, 1000):
        for _ in range(400):
            count = pace.allowance(4, BATCH)
            pace.learn(10_000 + price * count, 4, count)
    assert pace.allowance(4, BATCH) in (0, 8, 16)


def test_what_streams_cost_is_measured_while_a_prompt_is_read() -> None:
    """The longer the prompt, the dearer the streams: the comparison must not be an old one."""
    pace = Pace()
    pace.learn(1000, n_streams=4, n_prompt=0)
    for done in range(400):
        plain = 1000 + 10 * done
        count = pace.allowance(4, BATCH)
        pace.learn(plain + 50 * count, 4, count)
    assert count == 0 or 1.2 <= (plain + 50 * count) / plain <= 2.5
    assert count == 0 or count >= 32
