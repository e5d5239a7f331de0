"""Drafts are made where they pay, and cost nobody anything where they do not."""

from __future__ import annotations

import random
from itertools import accumulate
from operator import mul

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.runner.pace import Pace
from puna.runner.payoff import BEARABLE, WORTH, Cost, plan_drafts
from puna.runner.speculate import Speculation

SURE, LIKELY, RARE = [0.99**n for n in range(1, 25)], [0.6, 0.36, 0.2, 0.1], [0.1, 0.01]


def line(fixed: float, each: float) -> Cost:
    return lambda width: fixed + each * width


FREE, DEAR, HALF = line(100, 0.1), line(0, 100), line(100, 40)

PLANS: dict[str, tuple[list[list[float]], int, Cost, int, list[int]]] = {
    "free and sure: a decode of 16, where there are too few for 32": ([SURE], 1, FREE, 99, [15]),
    "free and sure: as many as fit": ([SURE], 1, FREE, 5, [4]),
    "no room": ([SURE], 1, FREE, 0, []),
    "what costs as much as it brings": ([SURE], 1, DEAR, 99, []),
    "likely, at some cost": ([LIKELY], 1, HALF, 99, [2]),
    "rarely right": ([RARE], 1, HALF, 99, []),
    "each as long as it is good": ([SURE, RARE], 2, line(100, 10), 99, [14]),
    "others do not wait for a draft": ([SURE], 3, line(100, 40), 99, [1]),
    "nothing is known of the cost": ([SURE], 1, lambda _: None, 99, []),
}


@pytest.mark.parametrize(
    ("chances", "streams", "cost", "room", "counts"), PLANS.values(), ids=PLANS
)
def test_plans(
    chances: list[list[float]], streams: int, cost: Cost, room: int, counts: list[int]
) -> None:
    assert (
        list(plan_drafts(dict(enumerate(chances)), streams, cost, room).counts.values()) == counts
    )


LUCK = st.lists(st.floats(0.01, 1), min_size=1, max_size=24).map(
    lambda rates: list(accumulate(rates, mul))
)


@given(
    chances=st.dictionaries(st.integers(0, 9), LUCK, min_size=1, max_size=5),
    others=st.integers(0, 4),
    fixed=st.floats(0, 100),
    each=st.floats(0.1, 100),
    room=st.integers(0, 80),
    spent=st.floats(0, 200),
)
def test_a_plan_promises_more_tokens_per_second(
    chances: dict[int, list[float]],
    others: int,
    fixed: float,
    each: float,
    room: int,
    spent: float,
) -> None:
    cost, streams = line(fixed, each), len(chances) + others
    plan = plan_drafts(chances, streams, cost, room, spent)
    counts = plan.counts
    drafted = sum(counts.values())
    assert drafted <= room
    assert all(1 <= count <= len(chances[key]) for key, count in counts.items())
    if counts:
        gained = sum(sum(chances[key][:count]) for key, count in counts.items())
        plain, wide = fixed + each * streams, fixed + each * (streams + drafted) + spent
        assert plan.rate == pytest.approx((streams + gained) / wide)
        assert (streams + gained) / wide >= WORTH * streams / plain * (1 - 1e-9)
        assert not others or wide <= BEARABLE * plain


def run(text: list[int], prompt: int, cost: Cost, *, streams: int = 1) -> tuple[float, float]:
    """Time to say what follows the prompt, drafting and plainly, by the clock of `cost`."""
    speculation, pace, time = Speculation(), Pace(), 0.0
    pace.learn(int((cost(100) or 0) * 1000), 0, 100)
    at = prompt
    while at < len(text):
        drafts = speculation.drafts({1: (text[:at], len(text) - at - 1)}, pace.cost, 100)
        draft = drafts.get(1, [])
        right = 0
        while right < len(draft) and draft[right] == text[at + right]:
            right += 1
        price = cost(streams + len(draft)) or 0.0
        time += price
        pace.learn(int(price * 1000), streams, 0, len(draft))
        at += right + 1
    return time, (len(text) - prompt) * (cost(streams) or 0.0)


def words(count: int, kinds: int, seed: int) -> list[int]:
    draw = random.Random(seed)
    return [draw.randrange(kinds) for _ in range(count)]


COSTS: dict[str, Cost] = {
    "a card: width costs little": line(100, 2),
    "many cores": line(100, 15),
    "few cores": lambda width: 39 if width == 1 else 90 + 6.3 * width,
    "no gain in width": line(0, 10),
}


@pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)
@pytest.mark.parametrize("kinds", [3, 5, 20, 1000])
def test_random_text_is_not_slower(cost: Cost, kinds: int) -> None:
    with_drafts, plain = run(words(3000, kinds, 1), 500, cost)
    assert plain / with_drafts >= 0.98


@pytest.mark.parametrize("cost", [COSTS[name] for name in COSTS if name != "no gain in width"])
def test_repeated_text_is_faster(cost: Cost) -> None:
    block = words(400, 1000, 2)
    for at in range(30, 400, 40):
        block[at] = 5000
    with_drafts, plain = run([*words(400, 1000, 2), *block], 400, cost)
    assert plain / with_drafts >= 1.3


def test_what_is_forgotten_is_read_again() -> None:
    speculation = Speculation()
    speculation.drafts({1: ([1, 2, 3, 4, 1, 2, 3], 5)}, FREE, 9)
    speculation.forget(1)
    drafts = speculation.drafts({1: ([1, 2, 3, 9, 1, 2, 3], 5)}, FREE, 9)
    assert drafts[1][0] == 9
