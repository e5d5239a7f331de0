"""Sequences that are decoded each in a stream of its own say what they say in the pool."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.errors import EngineError
from puna.runner.llama.context import Context, Decoded
from puna.runner.llama.library import lib
from puna.runner.llama.model import Model
from puna.runner.llama.sampler import Sampler
from puna.runner.llama.streams import Demand
from puna.runner.loop import Loop
from puna.runner.protocol import Generation, LoadPlan, Sampling
from puna.runner.running import Running
from puna.runner.speculate import Speculation
from puna.runner.text import TextStream
from puna.runner.wire import Refused, Step
from tests.fakes.ggufs import make_tiny_adapter, make_tiny_llama
from tests.fakes.shapes import make_tiny_mamba, make_tiny_window

CROWDED = 1 << 20  # cells: beside so many everybody is better off in a stream
JUDGE = 9  # the sequence that computes what others should say
Logits = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("m") / "m.gguf")


class AtOnce(Executor):
    """Does what it is told at once, or, while it is `held`, when it is released."""

    def __init__(self) -> None:
        self.held = False
        self._waiting: list[Callable[[], None]] = []

    def submit(self, work: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def do() -> None:
            try:
                future.set_result(work(*args, **more))
            except EngineError as error:
                future.set_exception(error)

        self._waiting.append(do)
        if not self.held:
            self.release()
        return future

    def release(self) -> None:
        while self._waiting:
            self._waiting.pop(0)()


def open_context(path: Path, maker: Executor | None = None, **fields: Any) -> tuple[Model, Context]:
    """A context whose streams are there as soon as they are wanted."""
    whole = {"n_ctx": 1024, "n_parallel": 4, "kv_type": "f32", "flash_attention": False, **fields}
    plan = LoadPlan(model=str(path), **whole)
    model = Model(plan, lambda _: None)
    context = Context(model, plan, 1)
    if context._streams is not None:
        context._streams._maker = maker or AtOnce()
    return model, context


@pytest.fixture(scope="module")
def context(path: Path) -> Iterator[Context]:
    """With an adapter over the weights, which streams must have, too."""
    adapter = make_tiny_adapter(path.with_name("adapter.gguf"))
    model, context = open_context(path, adapters=(str(adapter),))
    yield context
    context.close()
    model.close()


@dataclass
class World:
    """A context and the tokens that each sequence should have in it."""

    context: Context
    texts: dict[int, list[int]] = field(default_factory=dict)

    def decode(self, parts: dict[int, tuple[list[int], int]], n_used: int) -> dict[int, Logits]:
        """Add tokens to sequences, of which the last few get logits; what the last ones are."""
        demands = [
            Demand(sequence, len(self.texts[sequence]), len(tokens), n_logits)
            for sequence, (tokens, n_logits) in parts.items()
        ]
        self.context.begin(n_used, demands=demands)
        last: dict[int, int] = {}
        for sequence, (tokens, n_logits) in parts.items():
            start = len(self.texts[sequence])
            index = self.context.add(sequence, start, tokens, logits=n_logits)
            if n_logits:
                last[sequence] = index + n_logits - 1
        assert self.context.decode() is Decoded.OK
        for sequence, (tokens, _) in parts.items():
            self.texts[sequence] += tokens
        return {sequence: self.context.logits(at).copy() for sequence, at in last.items()}

    def expected(self, tokens: list[int]) -> Logits:
        """What the pool says after these tokens."""
        for start in range(0, len(tokens), 500):
            piece = tokens[start : start + 500]
            self.context.begin()
            index = self.context.add(JUDGE, start, piece, logits=1)
            assert self.context.decode() is Decoded.OK
        logits = self.context.logits(index).copy()
        self.context.remove(JUDGE)
        return logits

    def check(self, said: dict[int, Logits]) -> None:
        for sequence, logits in said.items():
            expected = self.expected(self.texts[sequence])
            np.testing.assert_allclose(logits, expected, atol=1e-3)

    def end(self) -> None:
        """Everything is in the pool, whole, and goes from it."""
        self.context.settle()
        for sequence, text in self.texts.items():
            if text:
                self.check({sequence: self._in_pool(sequence, 7)})
        for sequence in self.texts:
            self.context.remove(sequence)
        assert n_cells(self.context) == 0

    def _in_pool(self, sequence: int, token: int) -> Logits:
        return self.decode({sequence: ([token], 1)}, 0)[sequence]


def n_cells(context: Context) -> int:
    """Cells of the pool that any sequence uses."""
    memory = lib.llama_get_memory(context._handle)
    numbers = range(context.n_sequences + 1)
    return sum(int(lib.llama_memory_seq_pos_max(memory, each)) + 1 for each in numbers)


SEQUENCES = st.integers(0, 4)
TOKENS = st.lists(st.integers(5, 90), min_size=1, max_size=12)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("decode"),
            st.dictionaries(SEQUENCES, st.tuples(TOKENS, st.integers(0, 3)), min_size=1),
            st.sampled_from([0, CROWDED]),
        ),
        st.tuples(st.just("words"), st.sets(SEQUENCES, min_size=2), st.sampled_from([0, CROWDED])),
        st.tuples(st.just("cut"), SEQUENCES, st.integers(0, 30)),
        st.tuples(st.just("copy"), SEQUENCES, SEQUENCES, st.integers(0, 30)),
        st.tuples(st.just("save"), SEQUENCES),
        st.tuples(st.just("settle")),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_company_and_place_change_nothing(context: Context, steps: list[Any]) -> None:
    world = crowd(context, [0] * 5)
    for name, *values in steps:
        match name, values:
            case "decode", [parts, n_used]:
                parts = {each: (more, min(n, len(more))) for each, (more, n) in parts.items()}
                world.check(world.decode(parts, n_used))
            case "words", [who, n_used]:
                for token in (11, 12):
                    world.check(world.decode({each: ([token], 1) for each in who}, n_used))
            case "cut", [sequence, length]:
                if length < len(world.texts[sequence]):
                    context.remove(sequence, length)
                    del world.texts[sequence][length:]
            case "copy", [source, target, length]:
                length = min(length, len(world.texts[source]))
                if source != target and length:
                    context.remove(target)
                    context.copy(source, target, length)
                    world.texts[target] = world.texts[source][:length]
            case "save", [sequence]:
                if world.texts[sequence]:
                    state = context.state(sequence)
                    context.remove(sequence)
                    assert context.restore(sequence, state)
            case "settle", _:
                context.settle()
    world.end()


def crowd(context: Context, lengths: list[int]) -> World:
    """Sequences that have been read in the pool."""
    for each in range(context.n_sequences):  # a test that failed leaves its own
        context.remove(each)
    world = World(context, {each: [] for each in range(len(lengths))})
    for sequence, length in enumerate(lengths):
        text = [5 + (sequence + 3 * n) % 90 for n in range(length)]
        for start in range(0, length, 256):
            world.decode({sequence: (text[start : start + 256], 0)}, 0)
    return world


def words(world: World, *who: int, n_used: int) -> bool:
    """Let some say a word, and see that it is right; whether they did in streams."""
    said = world.decode({each: ([11], 1) for each in who}, n_used)
    is_apart = bool(world.context._streaming)
    world.check(said)
    return is_apart


def quick_words(world: World, *who: int, n_used: int) -> bool:
    """The same without a look at what they say, which takes far longer."""
    world.decode({each: ([11], 1) for each in who}, n_used)
    return bool(world.context._streaming)


def test_who_has_little_in_common_leaves_the_pool_when_it_has_paid(context: Context) -> None:
    world = crowd(context, [600, 600, 600])
    n_steps = [quick_words(world, 0, 1, 2, n_used=1800) for _ in range(20)].index(True)
    assert 10 <= n_steps <= 12, "moving 1,800 cells costs as much as 21,600 looks"
    assert words(world, 0, 1, 2, n_used=1800)
    assert words(world, 0, 1, n_used=1800)  # whose company has ended
    assert words(world, 0, n_used=1800)
    world.end()


def test_nobody_moves_for_what_others_paid_who_are_gone(context: Context) -> None:
    world = crowd(context, [300] * 4)
    world.decode({0: ([11], 1), 3: ([11], 0)}, CROWDED)  # one speaks, which is no reason to move
    context.remove(0)
    world.texts[0] = []
    assert not words(world, 1, 2, n_used=1200)
    world.end()


def test_who_shares_what_there_is_stays_in_the_pool(context: Context) -> None:
    world = crowd(context, [600])
    for target in (1, 2):
        context.copy(0, target, 600)
        world.texts[target] = world.texts[0][:]
    assert not any(quick_words(world, 0, 1, 2, n_used=700) for _ in range(20))
    world.end()


def test_who_comes_later_comes_in(context: Context) -> None:
    world = crowd(context, [300] * 5)
    while not quick_words(world, 0, 1, n_used=CROWDED):
        pass
    assert words(world, 0, 1, 2, n_used=CROWDED) is True  # in a context with more streams
    assert words(world, 0, 1, 2, 3, n_used=CROWDED)
    assert words(world, 4, 1, 2, 3, n_used=CROWDED)  # where 0 makes room
    assert words(world, 0, 1, 2, 3, n_used=CROWDED)
    world.end()


def test_all_are_in_the_pool_while_streams_are_made(path: Path) -> None:
    maker = AtOnce()
    model, context = open_context(path, maker)
    try:
        world = crowd(context, [300] * 5)
        while not quick_words(world, 0, 1, n_used=CROWDED):
            pass
        maker.held = True
        for _ in range(3):
            assert not words(world, 0, 1, 2, n_used=CROWDED)
        assert context._streams is not None
        assert not context._streams.prepare()
        maker.release()
        assert words(world, 0, 1, 2, n_used=CROWDED), "nobody pays for it again"
        assert not words(world, 0, 1, 2, 3, 4, n_used=CROWDED)
        context.remove(4)
        world.texts[4] = []
        maker.release()
        world.end()
    finally:
        maker.release()
        context.close()
        model.close()


def test_streams_that_cannot_be_made_leave_everything_in_the_pool(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, context = open_context(path)
    streams = context._streams
    assert streams is not None

    def fail(*_: object) -> None:
        raise EngineError("no room")

    # no memory can be short here, so the engine's refusal is played
    streams._make = fail  # type: ignore[method-assign, assignment]
    try:
        world = crowd(context, [300] * 2)
        assert not any(words(world, 0, 1, n_used=CROWDED) for _ in range(3))
        assert caplog.text.count("no room") == 1
        world.end()
    finally:
        context.close()
        model.close()


def test_who_outgrows_a_stream_gets_a_longer_one(path: Path) -> None:
    model, context = open_context(path, n_parallel=2)
    try:
        world = crowd(context, [440, 440, 40, 40, 40])
        while not quick_words(world, 0, 1, 2, 3, 4, n_used=CROWDED):
            pass
        assert context._streams is not None
        assert context._streams._size == 512
        for _ in range(80):  # up to 520 cells
            world.decode({each: ([9], 1) for each in (0, 1)}, CROWDED)
        assert context._streams._size == 1024
        assert words(world, 0, 1, n_used=CROWDED)
        world.end()
    finally:
        context.close()
        model.close()


def test_gaps_between_streams_are_filled_when_that_pays(context: Context) -> None:
    world = crowd(context, [260] * 6)
    streams = context._streams
    assert streams is not None
    while not quick_words(world, 0, 1, 2, 3, 4, n_used=CROWDED):
        pass

    def places(*who: int) -> list[int]:
        assert words(world, *who, n_used=CROWDED)
        return [streams.stream_of(each) for each in who]

    assert places(4, 3, 2, 1, 0) == [4, 3, 2, 1, 0]
    assert places(0, 2, 3, 4) == [0, 2, 3, 4]  # one run of the layers more, which costs less
    assert places(0, 2, 3, 4) == [0, 2, 3, 1]
    assert places(0, 2, 3, 5, 4) == [0, 2, 3, 4, 1]  # who comes is a neighbour
    assert places(1, 2, 3, 5) == [0, 2, 3, 4]  # where the one was who has gone
    world.end()


def test_a_shift_is_made_in_the_pool(context: Context) -> None:
    world = crowd(context, [100, 100])
    while not quick_words(world, 0, 1, n_used=CROWDED):
        pass
    context.shift(0, 4, 10)
    memory = lib.llama_get_memory(context._handle)
    assert lib.llama_memory_seq_pos_max(memory, 0) == len(world.texts[0]) - 11
    context.remove(0, 4)
    del world.texts[0][4:]
    assert words(world, 0, 1, n_used=CROWDED)
    world.end()


def test_prompts_are_read_beside_streams(context: Context) -> None:
    world = crowd(context, [300, 300])
    while not quick_words(world, 0, 1, n_used=CROWDED):
        pass
    world.texts[2] = []
    for piece in ([9] * 10, [8] * 60, [7] * 20):
        said = world.decode({0: ([11], 1), 1: ([11], 1), 2: (piece, 0)}, CROWDED)
        assert world.context._streaming
        world.check(said)
    said = world.decode({0: ([11], 1), 1: ([11], 1), 2: ([6] * 5, 1)}, CROWDED)
    assert world.context._streaming
    world.check(said)
    world.end()


def test_who_is_too_long_for_a_stream_stays_in_the_pool(context: Context) -> None:
    world = crowd(context, [200, 970])
    assert not any(quick_words(world, 0, 1, n_used=CROWDED) for _ in range(5))
    world.end()


def test_a_full_pool_gets_what_is_in_streams_when_there_is_room(path: Path) -> None:
    model, context = open_context(path, n_parallel=1)
    try:
        world = crowd(context, [100, 100])
        while not quick_words(world, 0, 1, n_used=CROWDED):
            pass
        crowd_of = 1024 - len(world.texts[0]) - len(world.texts[1])
        filler = World(context, {5: []})
        for count in range(crowd_of, 0, -200):
            filler.decode({5: ([3] * min(200, count), 0)}, 0)
        for _ in range(3):
            world.decode({0: ([11], 1), 1: ([11], 1)}, CROWDED)
        context.begin(demands=[])
        context.add(0, len(world.texts[0]), [11], logits=1)
        assert context.decode() is Decoded.NO_CELLS
        with pytest.raises(EngineError, match="no room"):
            context.settle()
        context.remove(5)
        assert not words(world, 0, 1, n_used=0)
        world.end()
    finally:
        context.close()
        model.close()


@pytest.mark.parametrize(
    ("n_parallel", "shape"),
    [(1, (8, 256)), (4, (8, 1024)), (9, (16, 1024))],
    ids=["parts of one context", "a context each", "a power of two"],
)
def test_what_is_made_ahead_is_what_is_needed(
    path: Path, n_parallel: int, shape: tuple[int, int]
) -> None:
    model, context = open_context(path, n_parallel=n_parallel)
    streams, private = context._streams, context._private
    assert streams is not None
    assert private is not None
    try:
        assert context.prepare()
        assert private.handle
        assert not streams.handle
        assert context.prepare()
        assert (streams._count, streams._size) == shape
        assert not context.prepare()
        made = streams.handle, private.handle
        world = crowd(context, [150] * 4)
        while not quick_words(world, 0, 1, 2, 3, n_used=CROWDED):
            pass
        assert (streams.handle, private.handle) == made
        world.end()
    finally:
        context.close()
        model.close()


def test_streams_that_take_much_of_the_memory_are_not_made_ahead(path: Path) -> None:
    model, context = open_context(path)
    streams = context._streams
    assert streams is not None
    try:
        streams._times, streams._cells_size = 1, (1 << 30) + 1
        assert context.prepare()
        assert not context.prepare()
        assert not streams.handle
        world = crowd(context, [150] * 2)
        while not quick_words(
            world, 0, 1, n_used=CROWDED
        ):  # but where they are needed, in two parts
            pass
        assert streams._count == 2
        world.end()
    finally:
        context.close()
        model.close()


@pytest.mark.parametrize("make", [make_tiny_mamba, make_tiny_window])
def test_other_memories_have_no_streams(make: Any, tmp_path: Path) -> None:
    model, context = open_context(make(tmp_path / "m.gguf"))
    try:
        world = crowd(context, [50, 50])
        world.decode({0: ([11], 1), 1: ([11], 1)}, CROWDED)
        assert context._streams is None
        assert not context.prepare()
    finally:
        context.close()
        model.close()


ANSWER = 24  # tokens


def greedy(context: Context, prompt: list[int]) -> list[int]:
    """What a sequence says that is alone in the pool."""
    text = list(prompt)
    for _ in range(ANSWER):
        have = 0 if len(text) == len(prompt) else len(text) - 1
        for start in range(have, len(text), 500):
            context.begin()
            index = context.add(JUDGE, start, text[start : start + 500], logits=1)
            assert context.decode() is Decoded.OK
        text.append(int(context.logits(index).argmax()))
    context.remove(JUDGE)
    return text[len(prompt) :]


def running(model: Model, number: int, prompt: list[int]) -> Running:
    """A generation that says what is likeliest."""
    sampling = Sampling(temperature=0)
    return Running(
        id=number,
        order=Generation(prompt="", sampling=sampling, want_tokens=True),
        tokens=list(prompt),
        sampler=Sampler(model, sampling, None, 1024),
        text=TextStream(()),
        n_ctx=1024,
        n_keep=4,
        max_tokens=ANSWER,
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_parallel", [2, 3, 8], ids=["half the cells", "too few", "enough"])
def test_answers_are_those_of_each_alone(path: Path, n_parallel: int, seed: int) -> None:
    """Streams are made in a thread; where there are enough, they are there before."""
    model, context = open_context(path, ThreadPoolExecutor(1), n_parallel=n_parallel)
    while n_parallel == 8 and context.prepare():
        pass
    told: dict[int, tuple[int, ...]] = {}

    def hear(news: Step | Refused) -> None:
        assert isinstance(news, Step), news
        told.update({each.id: each.result.tokens or () for each in news.ended})

    draw = random.Random(seed)
    beginning = [draw.randrange(5, 90) for _ in range(400)]
    prompts = [[draw.randrange(5, 90) for _ in range(draw.randrange(300, 600))] for _ in range(6)]
    prompts += [[*beginning, draw.randrange(5, 90), *prompts[0][:9]] for _ in range(2)]
    loop = Loop(model, context, hear, speculation=Speculation())
    arrivals = {draw.randrange(12): number for number in range(len(prompts))}
    late = set(range(len(prompts))) - set(arrivals.values())
    cancelled = draw.randrange(len(prompts))
    n_streamed = step = 0
    try:
        expected = [greedy(context, prompt) for prompt in prompts]
        for number in late:
            loop.admit(running(model, number, prompts[number]))
        while not loop.idle or step < 12:
            if step in arrivals:
                loop.admit(running(model, arrivals[step], prompts[arrivals[step]]))
            if step == 30:
                loop.cancel(cancelled)
            loop.step()
            if context._streaming:
                n_streamed += 1
                order = context._own._sequences[: context._own.count].tolist()
                assert order == sorted(order), "neighbours are computed together"
            step += 1
        whole = {number: [*prompts[number], *expected[number]] for number in told}
        assert {number: list(tokens) for number, tokens in told.items()} == whole
        assert len(told) >= len(prompts) - 1
        assert n_streamed or n_parallel < 8
        for sequence in range(context.n_sequences):
            loop._context.remove(sequence)
        assert n_cells(context) == 0
    finally:
        context.close()
        model.close()
