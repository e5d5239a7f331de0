"""The loop over an arithmetic engine: every answer is what it would be alone, no cell leaks."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from puna.runner.admission import leaders
from puna.runner.loop import Loop
from puna.runner.media import Media
from puna.runner.protocol import Finished, Generation, Priority
from puna.runner.running import Running
from puna.runner.text import TextStream
from puna.runner.warm.keeper import Keeper
from puna.runner.wire import Refused, Step
from tests.fakes.cells import (
    END,
    POISON,
    VOCABULARY,
    FakeContext,
    FakeModel,
    FakeSampler,
    next_token,
)
from tests.fakes.drafts import RandomDrafts

N_CTX = 24


@dataclass
class Told:
    """What the loop delivered for one generation."""

    text: str = ""
    ends: list[Any] = field(default_factory=list)


@dataclass
class Image:
    """A chunk whose vectors are its key."""

    key: int
    count: int
    is_whole: bool = False

    @property
    def n_positions(self) -> int:
        return self.count

    def places(self, position: int) -> npt.NDArray[np.int32]:
        return np.arange(position, position + self.count, dtype=np.int32)[None]


class QuickEncoder:
    """Has every image encoded when it is asked."""

    def ask(self, id: int, media: Media) -> None:
        media.vectors = np.full((media.chunk.count, 1), media.chunk.key, np.float32)

    def forget(self, id: int) -> None:
        raise AssertionError("nobody waits for this encoder")


class World:
    """A loop over a fake engine, and what came out of it."""

    def __init__(
        self,
        n_cells: int = 60,
        n_batch: int = 8,
        n_live: int = 4,
        *,
        drafts: random.Random | None = None,
        is_asynchronous: bool = False,
        keeper: Keeper | None = None,
        clock: Callable[[], int] = lambda: 1,
        **model: Any,
    ) -> None:
        self.model = FakeModel(**model)
        self.context = FakeContext(n_cells, n_batch, n_live, self.model)
        self.context.is_asynchronous = is_asynchronous
        self.told: dict[int, Told] = {}
        self.samplers: list[FakeSampler] = []
        self.drafts = None
        if drafts is not None:
            self.drafts = RandomDrafts(drafts, lambda _, seen: next_token(seen), VOCABULARY)
        self.loop = Loop(
            cast(Any, self.model),
            cast(Any, self.context),
            self._deliver,
            clock,
            cast(Any, self.drafts),
            keeper,
            cast(Any, QuickEncoder()),
        )

    def _deliver(self, news: Step | Refused) -> None:
        if isinstance(news, Refused):
            assert news.message == "broken"
            self.told[news.id].ends.append(news)
            return
        for said in news.said:
            self.told[said.id].text += said.piece.text
        for end in news.ended:
            self.told[end.id].ends.append(end.result)

    def admit(
        self,
        prompt: list[int],
        max_tokens: int,
        client: str = "",
        media: tuple[Media, ...] = (),
        *,
        n_keep: int | None = None,
        n_ctx: int = N_CTX,
        priority: Priority = "normal",
    ) -> int:
        """Ask; with `n_keep` a context that is full drops what comes after so many tokens."""
        number = len(self.told) + 1
        self.told[number] = Told()
        sampler = FakeSampler()
        self.samplers.append(sampler)
        self.loop.admit(
            Running(
                id=number,
                order=Generation(
                    prompt="", shift=n_keep is not None, client=client, priority=priority
                ),
                tokens=list(prompt),
                sampler=cast(Any, sampler),
                text=TextStream(),
                n_ctx=n_ctx,
                n_keep=n_keep or 0,
                max_tokens=max_tokens,
                media=media,
            )
        )
        return number

    def has(self, number: int) -> bool:
        """Whether a generation has not ended, told or untold."""
        return number in {each.id for each in [*self.loop._waiting, *self.loop._running]}

    def run(self, limit: int = 2000) -> None:
        while not self.loop.idle:
            assert limit, "the loop does not come to an end"
            limit -= 1
            self.loop.step()
            self.check()

    def play(self, events: list[Any]) -> tuple[dict[int, tuple[list[int], int]], set[int]]:
        """Live through EVENTS and run to the end: what was asked for, and what was cancelled."""
        asked: dict[int, tuple[list[int], int]] = {}
        cancelled: set[int] = set()
        for kind, value, number in events:
            match kind:
                case "admit":
                    asked[self.admit(value, number)] = (value, number)
                case "cancel":
                    if self.has(value):
                        cancelled.add(value)
                    self.loop.cancel(value)
                    self.check()
                case "steps":
                    for _ in range(value):
                        if not self.loop.idle:
                            self.loop.step()
                            self.check()
        self.run()
        return asked, cancelled

    def check(self) -> None:
        """The tree and the engine agree about every cell."""
        cells = self.loop._cells
        assert cells._tree.used == self.context.used <= self.context.n_cells
        for number in range(self.context.n_sequences):
            kept = cells._tree.tokens(number) if number in cells._tree else []
            seen = self.context.seen(number)
            assert len(seen) == len(kept)
            assert all(token in (known, -1) for known, token in zip(seen, kept, strict=True)), (
                "but for what was shifted, which matches no prompt"
            )


def alone(prompt: list[int], max_tokens: int) -> str:
    """The answer that the arithmetic gives."""
    tokens = list(prompt)
    said: list[int] = []
    while len(said) < max_tokens:
        token = next_token(tokens)
        if token == END or len(tokens) > N_CTX:
            break
        said.append(token)
        tokens.append(token)
    return "".join(f"{token} " for token in said[: max(0, N_CTX + 1 - len(prompt))])


# prompts that share their beginnings in many ways
PROMPTS = st.builds(
    lambda head, tail: [1, 2, 3, 4, 1, 2, 3, 4][:head] + tail,
    st.integers(0, 8),
    st.lists(st.integers(1, 4), min_size=1, max_size=8),
)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("admit"), PROMPTS, st.integers(1, 8)),
        st.tuples(st.just("cancel"), st.integers(1, 12), st.just(0)),
        st.tuples(st.just("steps"), st.integers(1, 5), st.just(0)),
    ),
    min_size=1,
    max_size=20,
)
MEMORIES = {"full": {}, "state": {"is_recurrent": True}, "window": {"n_window": 4}}


@pytest.mark.parametrize("memory", MEMORIES.values(), ids=MEMORIES)
@settings(max_examples=120, deadline=None)
@given(
    events=EVENTS,
    n_cells=st.integers(N_CTX + 2, 90),
    n_batch=st.integers(4, 16),
    drafts=st.none() | st.randoms(use_true_random=False),
    is_asynchronous=st.booleans(),
)
def test_company_and_guesses_change_nothing(
    memory: dict[str, Any],
    events: list[Any],
    n_cells: int,
    n_batch: int,
    drafts: random.Random | None,
    is_asynchronous: bool,
) -> None:
    world = World(n_cells, n_batch, drafts=drafts, is_asynchronous=is_asynchronous, **memory)
    asked, cancelled = world.play(events)
    for number, (prompt, max_tokens) in asked.items():
        told, expected = world.told[number], alone(prompt, max_tokens)
        if number in cancelled:
            assert not told.ends
            assert expected.startswith(told.text)
        else:
            assert told.text == expected
            (end,) = told.ends
            assert isinstance(end, Finished)
            assert end.prompt_tokens == len(prompt)
            assert 0 <= end.cached_tokens < len(prompt)
            assert 0 <= end.accepted_tokens <= end.drafted_tokens
            assert not end.drafted_tokens or not world.context.has_state
    assert all(sampler.closed == 1 for sampler in world.samplers)


TWO_PAIRS = [
    ("admit", [1, 2, 2, 4, 1, 4, 3, 1, 1], 1),
    ("admit", [1, 4, 1, 3, 2, 1, 2, 3], 5),
    ("admit", [1, 2, 3, 4, 1, 2, 4, 4, 3, 3, 3, 1, 4, 3], 5),
    ("admit", [1, 2, 3, 3, 1, 3, 1, 1, 4, 1, 1], 4),
    ("admit", [1, 2, 3, 4, 1, 2, 3, 4, 4, 2], 4),
]
"""Of each pair that fails together, one is to blame, and they take turns for the cells."""


@pytest.mark.parametrize("memory", MEMORIES.values(), ids=MEMORIES)
@settings(max_examples=60, deadline=None)
@example(events=TWO_PAIRS, poisoned={2, 5}, n_cells=85, n_batch=8, drafts=None)
@given(
    events=EVENTS,
    poisoned=st.sets(st.integers(1, 8), min_size=1, max_size=3),
    n_cells=st.integers(N_CTX + 2, 90),
    n_batch=st.integers(4, 16),
    drafts=st.none() | st.randoms(use_true_random=False),
)
def test_a_decode_that_fails_hurts_only_who_is_to_blame(
    memory: dict[str, Any],
    events: list[Any],
    poisoned: set[int],
    n_cells: int,
    n_batch: int,
    drafts: random.Random | None,
) -> None:
    world = World(n_cells, n_batch, drafts=drafts, **memory)
    number, mixed = 0, []
    for kind, value, count in events:
        number += kind == "admit"
        is_bad = kind == "admit" and number in poisoned
        mixed.append((kind, [*value, POISON, 1] if is_bad else value, count))
    asked, cancelled = world.play(mixed)
    for number, (prompt, max_tokens) in asked.items():
        told = world.told[number]
        if number in cancelled:
            assert not told.ends
        elif POISON in prompt:
            assert told.ends == [Refused(number, 500, "broken")]
        else:
            assert told.text == alone(prompt, max_tokens)
            assert isinstance(told.ends[0], Finished)
    assert all(sampler.closed == 1 for sampler in world.samplers)


@pytest.mark.parametrize("start", [0, 4, 6], ids=["first", "amid", "last"])
def test_who_asks_about_an_image_outlives_a_decode_that_fails_for_another(start: int) -> None:
    world = World(n_cells=100, n_batch=16)
    text = [1, 2, 3, 4, 2, 1]
    prompt = [*text[:start], -9, -9, -9, *text[start:]]
    media = Media(start, cast(Any, Image(-9, 3)))
    seen = world.admit(prompt, 4, media=(media,))
    bad = world.admit([2, 2, 2, 2, POISON, 1, 1], 2)
    world.run()
    assert world.told[bad].ends == [Refused(bad, 500, "broken")]
    assert world.told[seen].text == alone(prompt, 4)
    assert isinstance(world.told[seen].ends[0], Finished)


def test_guesses_that_are_right_save_decodes() -> None:
    prompt = next(p for p in product([1, 2], repeat=8) if len(alone([*p], 12)) == 24)
    steps = {}
    for name, draw in (("plain", None), ("drafting", random.Random(3))):
        world = World(n_cells=100, n_batch=16, drafts=draw)
        world.admit([*prompt], 12)
        steps[name] = 0
        while not world.loop.idle:
            world.loop.step()
            world.check()
            steps[name] += 1
        assert world.told[1].text == alone([*prompt], 12)
    assert steps["drafting"] < steps["plain"] == 12
    (end,) = world.told[1].ends
    assert end.accepted_tokens == 12 - steps["drafting"]


def test_guesses_take_no_cells_from_what_is_held() -> None:
    """The pool is full of finished sequences: they are worth more than guesses."""
    world = World(n_cells=24, n_batch=16, drafts=random.Random(1))
    world.admit([1, 2, 3, 4] * 4, 2)
    world.run()
    held = world.context.used
    world.admit([4, 4], 4)
    world.run()
    assert world.told[2].text == alone([4, 4], 4)
    assert world.context.used >= held


def test_a_device_computes_while_the_last_words_are_delivered() -> None:
    world = World(n_cells=100, is_asynchronous=True)
    order: list[str] = []
    prompt = next(p for p in product([1, 2], repeat=4) if len(alone([*p], 3)) == 6)
    world.admit([*prompt], 3)
    speaking = world.loop._speaking
    decode, deliver, wait = world.context.decode, speaking._deliver, world.context.wait
    world.context.decode = lambda: (order.append("decode"), decode())[1]  # type: ignore
    world.context.wait = lambda: (order.append("wait"), wait())[1]  # type: ignore
    speaking._deliver = lambda news: (order.append("deliver"), deliver(news))[1]  # type: ignore
    world.run()
    assert order == [
        *("decode", "wait"),
        *("decode", "deliver", "wait"),
        *("decode", "deliver", "wait", "deliver"),
    ]
    assert world.told[1].text == alone([*prompt], 3)


@settings(max_examples=120, deadline=None)
@given(
    asked=st.lists(
        st.tuples(st.sampled_from("aaaaaabc"), PROMPTS, st.integers(1, 8), st.integers(0, 3)),
        min_size=2,
        max_size=30,
    ),
    n_cells=st.integers(N_CTX + 2, 120),
    n_live=st.integers(1, 4),
)
def test_no_client_crowds_out_another(asked: list[Any], n_cells: int, n_live: int) -> None:
    """Who is admitted has no more running than anybody who waits and could have been; all end."""
    world = World(n_cells, 16, n_live)
    loop = world.loop
    place = loop._place

    def watched(chosen: Running) -> None:
        loads = Counter(each.client for each in loop._running)
        for other in loop._waiting:
            if not leaders(other, loop._running, loop._cells.reusable(other.tokens)):
                assert loads[chosen.client] <= loads[other.client]
        place(chosen)

    loop._place = watched  # type: ignore[method-assign, assignment]
    for client, prompt, max_tokens, steps in asked:
        world.admit(prompt, max_tokens, client)
        for _ in range(steps):
            world.loop.step()
            world.check()
    world.run()
    for told, (_, prompt, max_tokens, _) in zip(world.told.values(), asked, strict=True):
        assert told.text == alone(prompt, max_tokens)
        assert len(told.ends) == 1


def test_who_is_waited_for_is_read_as_fast_as_who_waits_would_be() -> None:
    shared = [1, 2, 3] * 1000

    def read_of_another(follower: Priority) -> int:
        world = World(n_cells=20_000, n_batch=64)
        leader = world.admit(shared, 1, "a", n_ctx=9000, priority="low")
        another = world.admit([4, 1, 2] * 2500, 1, "b", n_ctx=9000)
        world.loop.step()
        world.admit([*shared, 4], 1, "c", n_ctx=9000, priority=follower)
        while world.has(leader):
            world.loop.step()
        return next(each.n_cached for each in world.loop._running if each.id == another)

    assert read_of_another("high") < read_of_another("low") / 2
