"""What is computed apart from the pool: the logits are those of the pool, and so are the cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from puna.runner.llama.context import Context, Decoded
from puna.runner.llama.model import Model
from puna.runner.protocol import LoadPlan
from tests.fakes.ggufs import make_tiny_adapter, make_tiny_llama
from tests.fakes.shapes import make_tiny_hybrid, make_tiny_mamba, make_tiny_window

N_CTX = 1024
OTHERS = 1000  # cells of another sequence
LENGTH = 700
TOKENS = [5 + (7 * n) % 90 for n in range(LENGTH)]
OTHER, MINE, SOURCE = 0, 1, 2

Logits = npt.NDArray[np.float32]


def make_context(
    path: Path, n_parallel: int = 4, adapters: tuple[str, ...] = ()
) -> tuple[Model, Context]:
    plan = LoadPlan(
        model=str(path),
        adapters=adapters,
        n_ctx=N_CTX,
        n_parallel=n_parallel,
        kv_type="f32",
        flash_attention=False,
    )
    model = Model(plan, lambda _: None)
    return model, Context(model, plan, 1)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """A context, with another sequence in its pool and an adapter over its weights."""
    folder = tmp_path_factory.mktemp("m")
    adapter = make_tiny_adapter(folder / "adapter.gguf")
    model, context = make_context(make_tiny_llama(folder / "m.gguf"), adapters=(str(adapter),))
    read(context, OTHER, 0, [3] * OTHERS, n_used=0)
    yield context
    context.close()
    model.close()


def read(
    context: Context,
    sequence: int,
    position: int,
    tokens: list[int],
    *,
    n_used: int,
    step: int = 512,
    sole: bool = False,
) -> Logits:
    """The logits after the last of the tokens, which are decoded in pieces."""
    index = -1
    for start in range(0, len(tokens), step):
        piece = tokens[start : start + step]
        context.begin(n_used + start if n_used else 0, sole=sole)
        last = start + len(piece) == len(tokens)
        index = context.add(sequence, position + start, piece, logits=int(last))
        assert context.decode() is Decoded.OK
    return context.logits(index).copy()


def whole(context: Context, n_used: int) -> Logits:
    return read(context, MINE, 0, TOKENS, n_used=n_used)


def small_pieces(context: Context, n_used: int) -> Logits:
    return read(context, MINE, 0, TOKENS, n_used=4 * n_used, step=64)


def pool_between(context: Context, n_used: int) -> Logits:
    read(context, MINE, 0, TOKENS[:400], n_used=n_used)
    read(context, MINE, 400, TOKENS[400:420], n_used=0)
    return read(context, MINE, 420, TOKENS[420:], n_used=4 * n_used)


def shared_beginning(context: Context, n_used: int) -> Logits:
    read(context, SOURCE, 0, [*TOKENS[:300], 9, 9], n_used=0)
    context.copy(SOURCE, MINE, 300)
    context.remove(SOURCE)
    return read(context, MINE, 300, TOKENS[300:], n_used=2 * n_used)


def number_used_again(context: Context, n_used: int) -> Logits:
    read(context, MINE, 0, [8] * 301, n_used=2 * n_used)  # 300 of them apart
    context.remove(MINE)
    read(context, SOURCE, 0, TOKENS[:300], n_used=0)
    context.copy(SOURCE, MINE, -1)
    context.remove(SOURCE)
    return read(context, MINE, 300, TOKENS[300:], n_used=2 * n_used)


def cut_back(context: Context, n_used: int) -> Logits:
    read(context, MINE, 0, [*TOKENS[:400], *[8] * 101], n_used=n_used)  # 500 of them apart
    context.remove(MINE, 400)
    read(context, MINE, 400, TOKENS[400:500], n_used=0)
    return read(context, MINE, 500, TOKENS[500:], n_used=4 * n_used)


def alone(context: Context, n_used: int) -> Logits:
    read(context, MINE, 0, TOKENS[:600], n_used=n_used, sole=True)
    return read(context, MINE, 600, TOKENS[600:], n_used=n_used + 600, sole=True, step=1)


def alone_and_then_not(context: Context, n_used: int) -> Logits:
    read(context, MINE, 0, TOKENS[:600], n_used=n_used, sole=True)
    return read(context, MINE, 600, TOKENS[600:], n_used=n_used + 600)


def alone_after_a_while(context: Context, n_used: int) -> Logits:
    read(context, MINE, 0, TOKENS[:600], n_used=0)
    return read(context, MINE, 600, TOKENS[600:], n_used=n_used + 600, sole=True, step=1)


def alone_and_shared(context: Context, n_used: int) -> Logits:
    read(context, SOURCE, 0, [*TOKENS[:650], 9, 9], n_used=n_used, sole=True)
    context.copy(SOURCE, MINE, 650)
    context.remove(SOURCE)
    return read(context, MINE, 650, TOKENS[650:], n_used=n_used + 650, sole=True, step=1)


def alone_with_wrong_guesses(context: Context, n_used: int) -> Logits:
    read(context, MINE, 0, TOKENS[:600], n_used=n_used, sole=True)
    for position in range(600, LENGTH - 1):
        piece = [TOKENS[position], 8, 9]
        read(context, MINE, position, piece, n_used=n_used + position, sole=True)
        context.remove(MINE, position + 1)
    return read(context, MINE, LENGTH - 1, TOKENS[-1:], n_used=n_used + LENGTH, sole=True)


def alone_and_cut_behind_what_the_pool_has(context: Context, n_used: int) -> Logits:
    read(context, MINE, 0, [*TOKENS[:400], *[8] * 101], n_used=n_used, sole=True)
    context.settle()
    read(context, MINE, 501, [8] * 20, n_used=n_used + 501, sole=True, step=1)
    context.remove(MINE, 400)
    return read(context, MINE, 400, TOKENS[400:], n_used=n_used + 400, sole=True)


def saved_and_restored(context: Context, n_used: int) -> Logits:
    read(context, SOURCE, 0, TOKENS[:600], n_used=n_used, sole=True)
    state = context.state(SOURCE)
    context.remove(SOURCE)
    assert context.restore(MINE, state)
    return read(context, MINE, 600, TOKENS[600:], n_used=n_used + 600, sole=True)


WAYS: dict[str, Callable[[Context, int], Logits]] = {
    "in pieces as large as a batch": whole,
    "in small pieces": small_pieces,
    "with a piece in the pool between": pool_between,
    "after a beginning that is shared": shared_beginning,
    "in a sequence whose number was another's": number_used_again,
    "after its end was cut off": cut_back,
    "alone": alone,
    "alone, and then beside others": alone_and_then_not,
    "alone, from some token on": alone_after_a_while,
    "alone, after a beginning that was read alone": alone_and_shared,
    "alone, with guesses that are wrong": alone_with_wrong_guesses,
    "alone, after its end was cut off": alone_and_cut_behind_what_the_pool_has,
    "restored from what was computed alone": saved_and_restored,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_is_computed_apart_is_the_same(
    pool: Context, way: Callable[[Context, int], Logits]
) -> None:
    expected = read(pool, MINE, 0, TOKENS, n_used=0)
    pool.remove(MINE)
    try:
        np.testing.assert_allclose(way(pool, OTHERS), expected, atol=1e-3)
        # the cells in the pool are whole: what follows is computed from all of them
        after = read(pool, MINE, LENGTH, [11], n_used=0)
    finally:
        pool.remove(MINE)
    alone = read(pool, MINE, 0, [*TOKENS, 11], n_used=0)
    pool.remove(MINE)
    np.testing.assert_allclose(after, alone, atol=1e-3)


def test_the_pool_is_as_before_where_there_is_no_room(tmp_path: Path) -> None:
    model, context = make_context(make_tiny_llama(tmp_path / "m.gguf"), n_parallel=1)
    try:
        expected = read(context, MINE, 0, [*TOKENS[:300], 11], n_used=0)
        context.remove(MINE)
        read(context, OTHER, 0, [3] * 400, n_used=0)
        read(context, MINE, 0, TOKENS[:300], n_used=0)
        context.begin(2000)
        context.add(MINE, 300, TOKENS[300:700], logits=1)
        assert context.decode() is Decoded.NO_CELLS
        again = read(context, MINE, 300, [11], n_used=0)
        np.testing.assert_allclose(again, expected, atol=1e-3)
    finally:
        context.close()
        model.close()


def test_who_runs_alone_leaves_a_crowded_pool(pool: Context) -> None:
    private = pool._private
    assert private is not None
    try:
        read(pool, MINE, 0, TOKENS, n_used=OTHERS, sole=True)
        assert pool.answering is private.handle
        read(pool, MINE, LENGTH, [9], n_used=OTHERS + LENGTH)
        assert pool.answering is not private.handle
        read(pool, SOURCE, 0, TOKENS[:600], n_used=0, sole=True)  # nobody's cells are in the way
        assert pool.answering is not private.handle
        position = 600
        while pool.answering is not private.handle:
            read(pool, SOURCE, position, [9], n_used=OTHERS + position, sole=True)
            position += 1
        assert 615 < position < 620, "moving 600 cells costs as much as 7,200 looks"
    finally:
        pool.remove(MINE)
        pool.remove(SOURCE)


USED = {
    "nobody else is there": (0, 512, 0, False),
    "a few cells of others": (0, 512, 100, False),
    "many cells of others": (0, 512, 1000, True),
    "a small piece": (0, 16, 100_000, False),
    "little to read after much": (900, 33, 4000, False),
    "more than a context": (900, 512, 4000, False),
}


@pytest.mark.parametrize(("position", "count", "used", "apart"), USED.values(), ids=USED)
def test_reading_apart_must_pay(
    pool: Context, position: int, count: int, used: int, apart: bool
) -> None:
    assert pool._private is not None
    assert pool._private.pays(MINE, position, count, used) is apart


ONLY = {
    "a small piece": (0, 4, 1000, True),
    "nobody else is there": (0, 4, 0, False),
    "little to read after much": (900, 4, 1500, False),
}


@pytest.mark.parametrize(("position", "count", "used", "apart"), ONLY.values(), ids=ONLY)
def test_what_would_be_alone_in_the_pool_is_read_apart_sooner(
    pool: Context, position: int, count: int, used: int, apart: bool
) -> None:
    assert pool._private is not None
    assert pool._private.pays(MINE, position, count, used, only=True) is apart


@pytest.mark.parametrize("make", [make_tiny_mamba, make_tiny_hybrid, make_tiny_window])
def test_other_memories_read_in_the_pool(make: Callable[[Path], Path], tmp_path: Path) -> None:
    model, context = make_context(make(tmp_path / "m.gguf"))
    try:
        assert context._private is None
        apart = read(context, MINE, 0, TOKENS[:200], n_used=100_000)
        context.remove(MINE)
        np.testing.assert_array_equal(apart, read(context, MINE, 0, TOKENS[:200], n_used=0))
    finally:
        context.close()
        model.close()


@pytest.mark.parametrize(("n_parallel", "apart"), [(1, True), (4, False)])
def test_a_model_with_long_factors_reads_where_its_cells_belong(
    n_parallel: int, apart: bool, tmp_path: Path
) -> None:
    path = make_tiny_llama(tmp_path / "m.gguf", n_ctx_original=256)
    model, context = make_context(path, n_parallel)
    try:
        assert (context._private is not None) is apart
    finally:
        context.close()
        model.close()
