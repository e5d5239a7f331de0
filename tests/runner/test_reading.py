"""Who gets how many tokens of the next decode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.runner.batch import Share, Want
from puna.runner.reading import SHORT, TAIL, TURN, Reading

PLANS: dict[str, tuple[list[int], int, list[int]]] = {
    "nothing to do": ([], 8, []),
    "everybody decodes": ([1, 1, 1], 8, [1, 1, 1]),
    "a prompt fills what the streams leave": ([1, 100, 1], 8, [1, 6, 1]),
    "one prompt after the other": ([1000, 1000], 512, [512, 0]),
    "what a prompt leaves goes to the next": ([200, 1000], 512, [198, 314]),
    "ends wait for each other": ([200, 100], 512, [200, 100]),
    "ends alone": ([5, 3, 1], 512, [5, 3, 1]),
    "a short one need not wait": ([1000, 60], 512, [454, 58]),
    "more sequences than budget": ([1, 1, 1], 2, [1, 1, 0]),
}


@pytest.mark.parametrize(("pending", "budget", "counts"), PLANS.values(), ids=PLANS)
def test_plans(pending: list[int], budget: int, counts: list[int]) -> None:
    wants = [Want(key, count, is_new=True) for key, count in enumerate(pending)]
    shares = Reading().plan(wants, budget, budget)
    assert shares == [Share(key, count) for key, count in enumerate(counts) if count]


def test_an_allowance_bounds_the_prompts_and_nobody_else() -> None:
    wants = [Want(0, 1), Want(1, 100), Want(2, 100), Want(3, 1)]
    assert Reading().plan(wants, 512, 10) == [Share(0, 1), Share(1, 10), Share(3, 1)]
    assert Reading().plan(wants, 512, 0) == [Share(0, 1), Share(3, 1)]


class Prompts:
    """Prompts that are read as they are planned."""

    def __init__(self, *wants: Want) -> None:
        self.wants = list(wants)
        self.reading = Reading()
        self.done: Counter[int] = Counter()

    def decodes(self, budget: int) -> Iterator[list[Share]]:
        """The plans, until everything is read."""
        while self.left:
            shares = self.reading.plan(self.left, budget, budget)
            self.reading.note(self.left, shares)
            self.done.update({share.key: share.count for share in shares})
            yield shares

    @property
    def left(self) -> list[Want]:
        """What is still to be read."""
        return [
            Want(each.key, rest, each.weight, each.client, is_new=not self.done[each.key])
            for each in self.wants
            if (rest := each.pending - self.done[each.key]) > 0
        ]


def test_equal_prompts_end_together() -> None:
    prompts = Prompts(*(Want(key, 1000) for key in range(8)))
    plans = list(prompts.decodes(512))
    assert all(len(plan) <= 2 for plan in plans[:-1]), "long pieces of one or two at a time"
    assert {share.key for share in plans[-1]} == set(range(8))


def test_equal_prompts_end_together_though_one_came_first() -> None:
    prompts = Prompts(Want(0, 1000))
    decodes = prompts.decodes(512)
    next(decodes)
    prompts.wants += [Want(key, 1000 - key) for key in range(1, 8)]
    plans = list(decodes)
    assert all(prompts.done[key] == 1000 - key for key in range(8))
    assert {share.key for share in plans[-1]} == set(range(8))


def test_who_came_first_waits_neither_for_longer_prompts_nor_for_later_ones() -> None:
    prompts = Prompts(Want(0, 1000), Want(1, 2500))
    decodes = prompts.decodes(512)
    while prompts.done[0] < 990:
        next(decodes)
    prompts.wants.append(Want(2, 900))
    for _ in range(2):
        next(decodes)
    assert prompts.done[0] == 1000


def test_prompts_that_are_computed_apart_are_not_cut_to_fill_a_batch() -> None:
    reading = Reading()
    wants = [Want(0, 1000), Want(1, 1000), Want(2, 50, is_new=True)]
    assert reading.plan(wants, 512, 512, apart=True) == [Share(0, 256), Share(2, 48)]
    reading, wants = Reading(), [Want(0, 1000), Want(1, 400), Want(2, 400)]
    pieces: list[list[Share]] = []
    while wants:
        pieces.append(reading.plan(wants, 512, 512, apart=True))
        reading.note(wants, pieces[-1])
        given = {share.key: share.count for share in pieces[-1]}
        wants = [
            Want(each.key, each.pending - count, position=each.position + count)
            for each in wants
            if (count := given.get(each.key, 0)) < each.pending
        ]
    long = [[share.count for share in piece if share.count > TAIL] for piece in pieces]
    assert all(len(piece) <= 1 for piece in long)
    assert sorted(count for piece in long for count in piece) == [
        142,
        144,
        232,
        256,
        256,
        256,
        256,
        256,
    ]


@pytest.mark.parametrize(
    ("position", "pending", "count"),
    [(0, 1000, 256), (4, 1000, 252), (250, 1000, 262), (768, 200, 200), (0, 300, 300)],
    ids=["whole", "to its end", "a bit and one", "the rest", "no little rest"],
)
def test_a_prompt_that_is_computed_apart_is_read_by_blocks(
    position: int, pending: int, count: int
) -> None:
    want = Want(0, pending, position=position)
    assert Reading().plan([want], 512, 512, apart=True) == [Share(0, count)]
    assert Reading().plan([want], 512, 512) == [Share(0, min(pending, 512))]


def test_the_last_token_of_a_long_prompt_comes_with_others_next_words() -> None:
    wants = [Want(0, 1), Want(1, 4, position=900)]
    assert Reading().plan(wants, 512, 16, apart=True) == [Share(0, 1), Share(1, 3)]
    assert Reading().plan(wants, 512, 16) == [Share(0, 1), Share(1, 4)], "in one run of the layers"
    assert Reading().plan(wants[1:], 512, 16, apart=True) == [Share(1, 4)], "nobody speaks"
    several = [Want(0, 1), Want(1, 2, position=900), Want(2, 2, position=900)]
    assert Reading().plan(several, 512, 16, apart=True) == [Share(0, 1), Share(1, 1), Share(2, 1)]
    short = [Want(0, 1), Want(1, 4, position=100)]
    assert Reading().plan(short, 512, 16, apart=True) == [Share(0, 1), Share(1, 4)], "at once"


def test_beside_answers_nobody_waits_for_equals() -> None:
    reading, wants = Reading(), [Want(9, 1), Want(0, 1000)]
    reading.note(wants, reading.plan(wants, 513, 512))
    wants = [Want(9, 1), Want(0, TAIL), *(Want(key, 1000 - key) for key in range(1, 8))]
    ended = 0
    while all(want.pending for want in wants[1:]):
        shares = reading.plan(wants, 513, 512)
        reading.note(wants, shares)
        given = {share.key: share.count for share in shares if share.key != 9}
        wants = [Want(each.key, each.pending - given.get(each.key, 0)) for each in wants]
        ended += 1
    assert not wants[1].pending
    assert ended < 10, "each of the others has had a turn, and none its second"


def test_a_short_prompt_that_comes_late_is_next() -> None:
    prompts = Prompts(Want(0, 8000), Want(1, 8000))
    decodes = prompts.decodes(512)
    next(decodes)
    prompts.wants.append(Want(2, SHORT))
    assert sum(share.count for share in next(decodes) if share.key == 2) == SHORT - TAIL


def test_a_long_prompt_holds_up_others_for_a_turn_at_most() -> None:
    prompts = Prompts(Want(0, 100_000))
    decodes = prompts.decodes(512)
    for _ in range(50):
        next(decodes)
    prompts.wants.append(Want(1, 400))
    assert next(decodes) == [Share(0, TURN)]
    assert next(decodes)[-1] == Share(1, 400)


def test_nobody_waits_for_ever_for_others_that_keep_coming() -> None:
    prompts = Prompts(Want(0, 4000, client="long"))
    for key, _ in enumerate(prompts.decodes(512), 1):
        if prompts.done[0] == 4000:
            break
        prompts.wants += [Want(2 * key, 300, client="a"), Want(2 * key + 1, 300, client="b")]
        assert key < 60, "a third of the tokens are for each"


def shares_of(*wants: Want, budget: int = 64, decodes: int = 200) -> list[float]:
    """What part of the tokens each has had after some time."""
    prompts = Prompts(*wants)
    steps = prompts.decodes(budget)
    for _ in range(decodes):
        next(steps)
    total = sum(prompts.done.values())
    return [prompts.done[want.key] / total for want in wants]


def test_clients_share_before_their_requests_do() -> None:
    many = [Want(key, 10**6, client="many") for key in range(3)]
    assert shares_of(*many, Want(3, 10**6, client="one")) == pytest.approx(
        [1 / 6, 1 / 6, 1 / 6, 1 / 2], abs=0.06
    )
    assert shares_of(*many, Want(3, 10**6, weight=2, client="one")) == pytest.approx(
        [1 / 9, 1 / 9, 1 / 9, 2 / 3], abs=0.09
    )


def test_weightier_requests_of_a_client_get_more() -> None:
    heavy, light = Want(0, 10**6, weight=4), Want(1, 10**6, weight=1)
    assert shares_of(heavy, light, decodes=400) == pytest.approx([0.8, 0.2], abs=0.05)


def test_who_is_ahead_stays_so_while_others_read() -> None:
    prompts = Prompts(Want(0, 10**6, client="a"), Want(1, 2000, client="b"))
    decodes = prompts.decodes(512)
    while any(want.key == 1 for want in prompts.left):
        next(decodes)
    before = prompts.done[0]
    prompts.wants.append(Want(2, 2000, client="b"))  # no head start for coming again
    while any(want.key == 2 for want in prompts.left):
        next(decodes)
    assert prompts.done[0] - before >= 2000 - TURN


@given(st.lists(st.integers(1, 5000), max_size=40), st.integers(1, 600), st.integers(0, 600))
def test_the_budget_is_used_and_never_exceeded(
    pending: list[int], budget: int, allowance: int
) -> None:
    wants = [Want(key, count) for key, count in enumerate(pending)]
    shares = Reading().plan(wants, budget, allowance)
    assert all(1 <= share.count <= pending[share.key] for share in shares)
    assert len({share.key for share in shares}) == len(shares)
    streams = min(budget, pending.count(1))
    read = min(allowance, budget - streams, sum(count for count in pending if count > 1))
    assert sum(share.count for share in shares) == streams + read


@given(
    st.lists(st.tuples(st.integers(2, 3000), st.integers(1, 4), st.sampled_from("abc")), max_size=9)
)
def test_every_prompt_is_read_to_its_end(made: list[tuple[int, int, str]]) -> None:
    prompts = Prompts(*(Want(key, *each) for key, each in enumerate(made)))
    total = sum(length for length, _, _ in made)
    assert sum(1 for _ in prompts.decodes(512)) <= -(-total // 512)
    assert [prompts.done[key] for key in range(len(made))] == [length for length, _, _ in made]
