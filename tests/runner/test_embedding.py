"""The embedder over an arithmetic engine: every vector is what its input gives alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.errors import BadRequest, StartFailed
from puna.runner.embedding import LEAST, UNKNOWN, Embedder, Job, plan_slice
from puna.runner.inputs import Text, fit_text
from puna.runner.llama.model import Pooling
from puna.runner.protocol import Embedding
from puna.runner.queueing import RISE_NS
from puna.runner.wire import Embedded, Refused
from tests.fakes.pooled import FakeClockNs, FakePooled, vector_of

POISON = 666
LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=30)


@given(LENGTHS, st.integers(1, 64))
def test_a_slice_fills_its_budget_with_whole_inputs(pending: list[int], budget: int) -> None:
    counts = plan_slice(pending, budget, may_split=True)
    assert counts[0] == min(pending[0], budget)
    assert all(each in (0, length) for each, length in zip(counts[1:], pending[1:], strict=True))
    left = budget - sum(counts)
    assert left >= 0
    assert all(length > left for each, length in zip(counts, pending, strict=True) if each == 0)


@given(LENGTHS, st.integers(1, 64))
def test_without_splitting_the_first_enters_whole(pending: list[int], budget: int) -> None:
    counts = plan_slice(pending, budget, may_split=False)
    assert counts[0] == pending[0]
    assert all(each in (0, length) for each, length in zip(counts, pending, strict=True))
    assert sum(counts) <= max(budget, pending[0])


FITS: dict[str, tuple[int, int, int | None, bool, list[int] | str]] = {
    "short": (4, 9, None, True, [0, 1, 2, 3]),
    "exactly full": (9, 9, None, False, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    "cut before its end": (9, 6, None, True, [0, 1, 2, 3, 4, 8]),
    "must not be cut": (9, 6, None, False, "the input length exceeds the context length"),
    "cut to a batch": (9, 8, 5, True, [0, 1, 2, 3, 8]),
    "larger than a batch": (9, 9, 5, False, "the input length exceeds the context length"),
    "no room but for the frame": (
        3,
        3,
        None,
        True,
        "input after truncation exceeds maximum context length",
    ),
    "no room, not to be cut": (
        9,
        2,
        None,
        False,
        "input after truncation exceeds maximum context length",
    ),
    "no room in a batch": (
        9,
        9,
        3,
        True,
        "input exceeds maximum context length and cannot be truncated further",
    ),
}


@pytest.mark.parametrize(
    ("length", "n_ctx", "n_batch", "truncate", "result"), FITS.values(), ids=FITS
)
def test_cutting(
    length: int, n_ctx: int, n_batch: int | None, truncate: bool, result: list[int] | str
) -> None:
    text = Text(list(range(length)), n_head=2, n_tail=1)
    if isinstance(result, str):
        with pytest.raises(BadRequest) as caught:
            fit_text(text, n_ctx, n_batch, truncate=truncate)
        assert str(caught.value) == result
    else:
        assert fit_text(text, n_ctx, n_batch, truncate=truncate) == result


@dataclass
class World:
    """An embedder over an arithmetic context, and what came out of it."""

    context: FakePooled
    clock: FakeClockNs = field(default_factory=FakeClockNs)
    told: dict[int, Embedded | Refused] = field(default_factory=dict)
    opened: int = 0

    def __post_init__(self) -> None:
        self.embedder = Embedder(self._open, self._deliver, self.clock)

    def _open(self) -> FakePooled:
        self.opened += 1
        return self.context

    def _deliver(self, news: Embedded | Refused) -> None:
        assert news.id not in self.told
        self.told[news.id] = news

    def admit(self, id: int, inputs: list[list[int]], **fields: Any) -> None:
        order = Embedding(inputs=("",) * len(inputs), n_ctx=1000, **fields)
        self.embedder.admit(Job(id, order, [Text(tokens, 1, 0) for tokens in inputs]))

    def run(self) -> None:
        for steps in count():
            if self.embedder.idle:
                return
            assert steps < 2000, "the embedder does not come to an end"
            self.embedder.step()

    def vectors(self, id: int) -> list[np.ndarray]:
        news = self.told[id]
        assert isinstance(news, Embedded), news
        return [np.frombuffer(raw, np.float32) for raw in news.result.vectors]


TOKENS = st.lists(st.integers(1, 9), min_size=1, max_size=30)
WHO = st.tuples(st.sampled_from(["high", "normal", "low"]), st.sampled_from("abc"))
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("admit"), st.tuples(st.lists(TOKENS, max_size=6), WHO)),
        st.tuples(st.just("cancel"), st.integers(1, 8)),
        st.tuples(st.just("step"), st.sampled_from([0, 5, 50])),
    ),
    min_size=1,
    max_size=25,
)
POOLINGS = [Pooling.MEAN, Pooling.CLS, Pooling.LAST, Pooling.RANK]


@pytest.mark.parametrize("pooling", POOLINGS)
@settings(max_examples=100, deadline=None)
@given(
    events=EVENTS,
    n_batch=st.integers(2, 40),
    n_sequences=st.integers(1, 5),
    may_split=st.booleans(),
    poisoned=st.sets(st.integers(1, 8), max_size=3),
)
def test_company_changes_nothing(
    pooling: Pooling,
    events: list[Any],
    n_batch: int,
    n_sequences: int,
    may_split: bool,
    poisoned: set[int],
) -> None:
    """That of those who make every decode fail neither."""
    clock = FakeClockNs()
    context = FakePooled(
        24,
        n_batch,
        n_sequences,
        pooling,
        may_split=may_split,
        clock=clock,
        failing=lambda tokens: POISON in tokens,
    )
    world = World(context, clock)
    asked: dict[int, list[list[int]]] = {}
    cancelled: set[int] = set()
    for kind, value in events:
        match kind:
            case "admit":
                inputs, (priority, who) = value
                number = len(asked) + 1
                if inputs and number in poisoned:
                    inputs = [*inputs[:-1], [POISON, *inputs[-1]]]
                asked[number] = inputs
                world.admit(number, inputs, priority=priority, client=who)
            case "cancel":
                if value in asked and value not in world.told:
                    cancelled.add(value)
                world.embedder.cancel(value)
            case "step":
                world.embedder.step(beside_ns=value)
    world.run()
    assert not context.cells
    assert set(world.told) == set(asked) - cancelled
    most = 24 if may_split else min(24, n_batch)
    for number in world.told:
        if asked[number] and POISON in asked[number][-1]:
            assert world.told[number] == Refused(number, 500, "broken")
            continue
        for tokens, vector in zip(asked[number], world.vectors(number), strict=True):
            np.testing.assert_allclose(vector, vector_of(tokens[:most], pooling), rtol=1e-5)


def pooled(**fields: Any) -> FakePooled:
    whole = {"n_ctx": 600, "n_batch": 512, "n_sequences": 64, "pooling": Pooling.MEAN}
    return FakePooled(**{**whole, "may_split": True, **fields})


def test_many_short_inputs_take_few_decodes() -> None:
    world = World(pooled())
    world.admit(1, [[1] * 8] * 64)
    world.run()
    assert world.context.decodes == [512]


def test_inputs_beyond_a_decode_are_read_in_parts() -> None:
    world = World(pooled(n_batch=100))
    world.admit(1, [list(range(1, 301)), [5]])
    world.run()
    assert max(world.context.decodes) <= 100
    np.testing.assert_allclose(
        world.vectors(1)[0], vector_of(range(1, 301), Pooling.MEAN), rtol=1e-5
    )


def test_a_small_job_does_not_wait_for_a_large_one() -> None:
    world = World(pooled(n_sequences=4))
    world.admit(1, [[1] * 100] * 50)
    world.admit(2, [[2] * 10] * 3)
    order = []
    while not world.embedder.idle:
        world.embedder.step()
        order += [number for number in world.told if number not in order]
    assert order == [2, 1]
    assert len(world.context.decodes) >= 13


def finished(world: World) -> list[int]:
    """The jobs in the order in which they ended."""
    while not world.embedder.idle:
        assert len(world.context.decodes) < 2000
        world.embedder.step()
    return list(world.told)


def test_the_important_are_read_first_and_the_others_meanwhile() -> None:
    world = World(pooled(n_batch=100))
    for number, priority in enumerate(["low", "normal", "high"]):
        world.admit(number, [[number] * 20] * 40, priority=priority, client="a")
    reads: list[list[int]] = []
    while len(world.told) < 1:
        world.embedder.step()
        reads.append([job.n_left for job in world.embedder._jobs])
    low, normal, high = reads[-2]
    assert list(world.told) == [2]
    read = [40 - low, 40 - normal, 40 - high]
    assert read[2] == pytest.approx(2 * read[1], abs=5)
    assert read[1] == pytest.approx(2 * read[0], abs=5)
    assert finished(world) == [2, 1, 0]


def test_a_client_with_many_jobs_gets_no_more_than_one_with_few() -> None:
    world = World(pooled(n_batch=100))
    for number in range(10):
        world.admit(number, [[1] * 20] * 10, client="a")
    world.admit(10, [[2] * 20] * 10, client="b")
    assert finished(world).index(10) <= 1


def test_who_comes_often_does_not_keep_others_waiting() -> None:
    clock = FakeClockNs()
    world = World(pooled(n_batch=100, clock=clock, token_ns=RISE_NS // 1000), clock)
    world.admit(0, [[1] * 250] * 2, priority="low", client="a")
    for number in range(1, 200):
        world.admit(number, [[2] * 90] * 2, priority="high", client="a")
        world.embedder.step()
        if 0 in world.told:
            break
    assert 10 <= number < 50


def test_a_long_input_does_not_hold_up_an_important_short_one() -> None:
    world = World(pooled(n_batch=100))
    world.admit(1, [[1] * 600], client="a")
    world.embedder.step()
    world.admit(2, [[2] * 10], client="b", priority="high")
    world.embedder.step()
    assert list(world.told) == [2]
    assert finished(world) == [2, 1]
    np.testing.assert_allclose(world.vectors(1)[0], vector_of([1] * 600, Pooling.MEAN), rtol=1e-5)


def test_beside_streams_a_decode_takes_no_longer_than_theirs() -> None:
    clock = FakeClockNs()
    world = World(pooled(clock=clock, token_ns=1000), clock)
    world.admit(1, [[1] * 300] * 4)
    world.embedder.step(beside_ns=100_000)
    assert world.context.decodes == [UNKNOWN]
    for beside_ns, tokens in ((100_000, 100), (1, LEAST), (10**9, 300 - UNKNOWN - 100 - LEAST)):
        world.embedder.step(beside_ns=beside_ns)
        assert world.context.decodes[-1] >= tokens
        assert world.context.decodes[-1] <= max(beside_ns // 1000, LEAST)


def test_the_context_is_opened_by_the_first_job() -> None:
    world = World(pooled())
    world.embedder.step()
    assert world.opened == 0
    world.admit(1, [[1]])
    world.admit(2, [[1]])
    assert world.opened == 1


def test_a_context_that_cannot_be_opened_fails_the_job() -> None:
    told: list[Embedded | Refused] = []

    def fail() -> FakePooled:
        raise StartFailed("no room")

    Embedder(fail, told.append).admit(Job(1, Embedding(inputs=("a",)), [Text([1], 0, 0)]))
    assert told == [Refused(1, 500, "no room")]


def test_a_refused_input_refuses_its_job_alone() -> None:
    world = World(pooled(n_ctx=10))
    world.admit(1, [[1], [2] * 11], truncate=False)
    world.admit(2, [[1], [2] * 10], truncate=False)
    world.run()
    assert world.told[1] == Refused(1, 400, "the input length exceeds the context length")
    assert len(world.vectors(2)) == 2


@pytest.mark.parametrize("n_sequences", [1, 64])
def test_a_decode_that_fails_refuses_the_job_to_blame_and_no_other(n_sequences: int) -> None:
    world = World(pooled(n_sequences=n_sequences, failing=lambda tokens: POISON in tokens))
    world.admit(1, [[1] * 700, [POISON]])
    world.admit(2, [[3], [4]])
    world.admit(3, [[POISON], [5]])
    world.admit(4, [[6] * 600, [7]])
    world.run()
    for number in (1, 3):
        assert world.told[number] == Refused(number, 500, "broken")
    assert len(world.vectors(2)) == 2
    np.testing.assert_allclose(world.vectors(4)[0], vector_of([6] * 600, Pooling.MEAN), rtol=1e-5)
    world.admit(5, [[7]])
    world.run()
    assert not world.context.cells
