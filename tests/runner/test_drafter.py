"""A draft model over an arithmetic engine: it changes no answer, leaks no cell, and gives way."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, product
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.errors import EngineError
from puna.runner.cells import memory_of
from puna.runner.drafter import Drafter
from puna.runner.drafting import Drafting
from puna.runner.llama.context import Decoded
from puna.runner.loop import Loop
from puna.runner.protocol import Generation
from puna.runner.speculate import Speculation
from tests.fakes.cells import FakeContext, FakeModel, next_token
from tests.runner.test_loop import EVENTS, World, alone

Arithmetic = Callable[[Sequence[int]], int]


def mistaken(share: float) -> Arithmetic:
    """Says what comes next, wrong in `share` of the places."""

    def say(seen: Sequence[int]) -> int:
        is_wrong = random.Random(str(list(seen))).random() < share
        return next_token(seen) % 4 + 1 if is_wrong else next_token(seen)

    return say


def ticking(step: int) -> Callable[[], int]:
    """A clock by which everything between two looks takes `step`."""
    ticks: Iterator[int] = count(1)
    return lambda: next(ticks) * step


class DraftedWorld(World):
    """A world whose second model says almost the same, in a tenth of the time."""

    def __init__(
        self,
        n_cells: int = 60,
        n_batch: int = 8,
        *,
        draft_cells: int = 60,
        says: Arithmetic = next_token,
        draft_window: int = 0,
        **model: Any,
    ) -> None:
        super().__init__(n_cells, n_batch, **model)
        small = FakeModel(n_window=draft_window)
        self.draft_context = FakeContext(draft_cells, n_batch, 4, small, says, is_ordered=False)
        self.drafter = Drafter(
            cast(Any, small),
            cast(Any, self.draft_context),
            memory_of(cast(Any, small)),
            ticking(100),
        )
        self.loop = Loop(
            cast(Any, self.model),
            cast(Any, self.context),
            self._deliver,
            ticking(1000),
            Speculation(Drafting(self.drafter)),
        )

    def check(self) -> None:
        super().check()
        cells, followers = self.drafter._cells, self.drafter._followers
        ahead = {each.sequence: each.guesses[: each.n_ahead] for each in followers.values()}
        assert cells._tree.used + sum(map(len, ahead.values())) == self.draft_context.used
        for number in range(self.draft_context.n_sequences):
            kept = cells._tree.tokens(number) if number in cells._tree else []
            assert self.draft_context.seen(number) == kept + ahead.get(number, [])
        assert followers.keys() <= {each.id for each in [*self.loop._running, *self.loop._waiting]}


MEMORIES = {
    "full": {},
    "window": {"n_window": 4},
    "the draft model has a window": {"draft_window": 6},
    "state": {"is_recurrent": True},
}


@pytest.mark.parametrize("memory", MEMORIES.values(), ids=MEMORIES)
@settings(max_examples=100, deadline=None)
@given(
    events=EVENTS,
    n_cells=st.integers(26, 90),
    draft_cells=st.integers(4, 60),
    n_batch=st.integers(4, 16),
    wrong=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_company_and_drafts_change_nothing(
    memory: dict[str, Any],
    events: list[Any],
    n_cells: int,
    draft_cells: int,
    n_batch: int,
    wrong: float,
) -> None:
    world = DraftedWorld(n_cells, n_batch, draft_cells=draft_cells, says=mistaken(wrong), **memory)
    asked, cancelled = world.play(events)
    for number, (prompt, max_tokens) in asked.items():
        told, expected = world.told[number], alone(prompt, max_tokens)
        if number in cancelled:
            assert expected.startswith(told.text)
        else:
            assert told.text == expected
            assert not told.ends[0].drafted_tokens or not world.context.has_state
    assert world.drafter._cells.obtainable() == draft_cells


def long_prompts() -> list[list[int]]:
    """Prompts whose answers are long."""
    prompts = ([*p] for p in product([1, 2], repeat=8))
    return [prompt for prompt in prompts if len(alone(prompt, 14)) == 28]


def steps_of(world: World, prompts: Sequence[list[int]]) -> int:
    """How many steps a world takes to answer."""
    for prompt in prompts:
        world.admit(prompt, 14)
    steps = 0
    while not world.loop.idle:
        world.loop.step()
        world.check()
        steps += 1
    return steps


def drafted_by(drafter: Drafter) -> list[int]:
    """The lengths of the drafts that it will make."""
    lengths: list[int] = []
    draft = drafter.draft

    def watched(counts: Mapping[int, int]) -> dict[int, list[int]]:
        guesses = draft(counts)
        lengths.extend(map(len, guesses.values()))
        return guesses

    drafter.draft = watched  # type: ignore[method-assign]
    return lengths


def test_a_model_that_is_right_saves_decodes() -> None:
    prompts = long_prompts()[:2]
    world = DraftedWorld(n_cells=100, n_batch=16)
    assert steps_of(world, prompts) < steps_of(World(n_cells=100, n_batch=16), prompts) - 5
    for number, prompt in enumerate(prompts, 1):
        assert world.told[number].text == alone(prompt, 14)
        (end,) = world.told[number].ends
        assert end.accepted_tokens == end.drafted_tokens > 5


def decodes_of(context: FakeContext) -> list[int]:
    """How many sequences are in each decode that there will be."""
    widths: list[int] = []
    decode = context.decode

    def watched() -> Decoded:
        widths.append(len({sequence for sequence, *_ in context._batch}))
        return decode()

    context.decode = watched  # type: ignore[method-assign]
    return widths


def test_one_that_is_wrong_is_soon_let_alone() -> None:
    """A decode of the draft model takes a tenth: it may have 2 % of the time."""
    world = DraftedWorld(n_cells=100, n_batch=16, says=mistaken(1.0))
    large, small = decodes_of(world.context), decodes_of(world.draft_context)
    for turn in range(60):
        world.admit(long_prompts()[turn % 2], 14)
        world.run()
        if turn == 5:
            assert len(small) > 10
        if turn == 20:
            large.clear()
            small.clear()
    assert 0 < len(small) / 10 < 0.03 * len(large)


def test_streams_share_decodes_of_the_draft_model() -> None:
    world = DraftedWorld(n_cells=100, n_batch=16)
    widths = decodes_of(world.draft_context)
    steps_of(world, long_prompts()[:2])
    assert widths.count(2) > len(widths) // 2


def test_a_draft_model_that_fails_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    world = DraftedWorld(n_cells=100, n_batch=16)
    closed: list[str] = []

    def broken() -> Decoded:
        raise EngineError("no more")

    world.draft_context.decode = broken  # type: ignore[method-assign]
    for name, part in (("context", world.draft_context), ("model", world.drafter._model)):
        part.close = lambda name=name: closed.append(name)  # type: ignore
    (prompt,) = long_prompts()[:1]
    world.admit(prompt, 14)
    while not world.loop.idle:
        world.loop.step()
    assert world.told[1].text == alone(prompt, 14)
    assert closed == ["context", "model"]
    assert "the draft model is not used any more: no more" in caplog.text


def test_no_more_are_drafted_than_asked_for() -> None:
    lengths: dict[int, list[int]] = {}
    for most in (-1, 2, 0):
        world = DraftedWorld(n_cells=100, n_batch=16)
        lengths[most] = drafted_by(world.drafter)
        world.admit(long_prompts()[0], 14)
        (each,) = world.loop._waiting
        each.order = Generation(prompt="", shift=False, most_drafted=most)
        world.run()
        assert world.told[1].text == alone(long_prompts()[0], 14)
    assert max(lengths[-1]) > 2 == max(lengths[2])
    assert lengths[0] == []
