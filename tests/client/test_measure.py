"""The arithmetic of `puna bench`."""

from __future__ import annotations

import pytest

from puna.client.measure import Run, Speed, speed_of

CASES: dict[str, tuple[list[Run], Speed]] = {
    "one answer": (
        [Run(100, 11, sent=10, first=12, last=17)],
        Speed(100, 1, 11, 2, prefill_rate=50, decode_rate=2, stream_rate=2),
    ),
    "rates are of all together, from the first that is sent to the last that ends": (
        [Run(100, 11, sent=0, first=1, last=6), Run(100, 11, sent=0, first=4, last=9)],
        Speed(100, 2, 22, 2.5, prefill_rate=50, decode_rate=2.5, stream_rate=2),
    ),
    "answers of one token say nothing of writing": (
        [Run(8, 1, sent=0, first=1, last=1)],
        Speed(8, 1, 1, 1, prefill_rate=8, decode_rate=None, stream_rate=None),
    ),
    "nor do those that end at once": (
        [Run(8, 0, sent=0, first=1, last=1.5), Run(8, 3, sent=0, first=1, last=2)],
        Speed(8, 2, 3, 1, prefill_rate=16, decode_rate=2, stream_rate=2),
    ),
}


@pytest.mark.parametrize(("runs", "speed"), CASES.values(), ids=CASES)
def test_speed(runs: list[Run], speed: Speed) -> None:
    assert speed_of(runs) == speed
