"""Vectors for texts: checks and their order, lengths, what the engine is asked."""

from __future__ import annotations

import asyncio
import math
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadRequest, EngineDied
from puna.runner.fake import Hold
from puna.service.embedding import check_size, normalize, read_inputs, shorten
from tests.service.world import World, complaint, play, tiny

BERT = tiny(arch="bert", bert__pooling_type=1, n_ctx=512)

NUMBERS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40)


@given(NUMBERS)
def test_vectors_have_length_one_or_zero(numbers: list[float]) -> None:
    vector = normalize(array("f", numbers))
    size = math.hypot(*numbers)
    if size > 1e-6:
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-4)
        again = [value * size for value in vector]
        assert again == pytest.approx(numbers, rel=1e-4, abs=size * 1e-6)
    if size == 0:
        assert list(vector) == numbers


@given(NUMBERS, st.integers(-3, 50))
def test_shortening_keeps_the_first_numbers_and_the_length(numbers: list[float], n: int) -> None:
    vector = normalize(array("f", numbers))
    short = shorten(vector, n)
    if 0 < n < len(numbers):
        assert len(short) == n
        assert list(short) == pytest.approx(list(normalize(vector[:n])))
    else:
        assert short == vector


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(BadRequest, match=r"^embedding contains NaN or Inf values$"):
        normalize(array("f", [1, bad, 2]))


INPUTS: dict[str, tuple[Any, tuple[str, ...] | None]] = {
    "absent": (None, ()),
    "an empty text": ("", ()),
    "an empty list": ([], ()),
    "a text": ("a", ("a",)),
    "texts": (["a", "b"], ("a", "b")),
    "an empty text in a list": ([""], ("",)),
    "a number": (5, None),
    "a number among texts": (["a", 1], None),
    "null among texts": (["a", None], None),
    "a list of tokens": ([[1, 2]], None),
    "an object": ({"text": "a"}, None),
    "true": (True, None),
}


@pytest.mark.parametrize(("value", "texts"), INPUTS.values(), ids=INPUTS)
def test_inputs(value: Any, texts: tuple[str, ...] | None) -> None:
    if texts is None:
        with pytest.raises(BadRequest, match=r"^invalid input type$"):
            read_inputs(value)
    else:
        assert read_inputs(value) == texts


def test_an_answer_holds_so_many_numbers_and_no_more() -> None:
    check_size(32768, 1024)
    check_size(10**9, 0)  # a file that does not say how wide it is
    with pytest.raises(BadRequest, match=r"32769 vectors of 1024 .* at most 32768 at a time"):
        check_size(32769, 1024)


def test_vectors_come_in_order_with_their_figures(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_embed("a", [3, 4])
        w.launcher.will_embed("bb", [0, 2])
        hold = Hold()
        w.launcher.will_launch(hold)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(w.embed(input=["bb", "a"]))
            await hold.reached()
            await w.clock.advance(2)
            hold.release()
        result = task.result()
        assert [list(vector) for vector in result.vectors] == [
            [0, 1],
            pytest.approx([0.6, 0.8]),
        ]
        assert result.prompt_tokens == 3
        assert (result.load_ns, result.total_ns) == (2_000_000_000, 2_000_000_000)
        (asked,) = w.launcher.embeddings
        assert (asked.inputs, asked.n_ctx, asked.truncate) == (("bb", "a"), 512, True)

    play(tmp_path, scene, BERT)


ASKED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as it is": ({}, {"n_ctx": 512, "truncate": True}),
    "truncate": ({"truncate": True}, {"truncate": True}),
    "not to be cut": ({"truncate": False}, {"truncate": False}),
    "a smaller context": ({"options": {"num_ctx": 100}}, {"n_ctx": 100}),
    "a context below what can be loaded": ({"options": {"num_ctx": 1}}, {"n_ctx": 1}),
    "a larger context than trained": ({"options": {"num_ctx": 9999}}, {"n_ctx": 512}),
}


@pytest.mark.parametrize(("fields", "expected"), ASKED.values(), ids=ASKED)
def test_what_the_engine_is_asked(
    tmp_path: Path, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    async def scene(w: World) -> None:
        await w.embed(input="a", **fields)
        (asked,) = w.launcher.embeddings
        assert {name: getattr(asked, name) for name in expected} == expected

    play(tmp_path, scene, BERT)


def test_dimensions(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_embed("a", [3, 4, 12])
        (vector,) = (await w.embed(input="a", dimensions=2)).vectors
        assert list(vector) == pytest.approx([0.6, 0.8])
        for ignored in (0, -1, 3, 4):
            (vector,) = (await w.embed(input="a", dimensions=ignored)).vectors
            assert list(vector) == pytest.approx([3 / 13, 4 / 13, 12 / 13])

    play(tmp_path, scene, BERT)


@pytest.mark.parametrize("nothing", [{}, {"input": ""}, {"input": []}, {"input": None}])
def test_without_input_the_model_is_loaded(tmp_path: Path, nothing: dict[str, Any]) -> None:
    async def scene(w: World) -> None:
        result = await w.embed(**nothing)
        assert (result.vectors, result.total_ns, result.prompt_tokens) == ([], 0, 0)
        assert [row.model for row in await w.ps()] == ["m:latest"]
        assert list(await w.embeddings()) == []
        assert not w.launcher.embeddings

    play(tmp_path, scene, BERT)


def test_a_model_for_vectors_is_loaded_for_that_alone(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.embed(input="a")
        (plan,) = w.launcher.plans
        assert (plan.embedding_only, plan.n_parallel, plan.n_batch) == (True, 1, 0)

    play(tmp_path, scene, BERT, num_parallel=4)


def test_a_model_that_generates_gives_vectors_from_the_same_runner(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="hi")
        assert len((await w.embed(input="a")).vectors) == 1
        assert [plan.embedding_only for plan in w.launcher.plans] == [False]

    play(tmp_path, scene)


EMBED_ERRORS: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "no model": ("", {}, 404, "model '' not found"),
    "a blank model": (" ", {"input": 5}, 404, "model ' ' not found"),
    "no name": ("bad name", {"input": 5}, 400, "invalid model name"),
    "no input, of an unknown model": ("x", {"input": 5}, 400, "invalid input type"),
    "an unknown model": ("x", {"input": "a"}, 404, 'model "x" not found, try pulling it first'),
    "an option": (
        "m",
        {"input": "a", "options": {"num_ctx": "x"}},
        400,
        'option "num_ctx" must be of type integer',
    ),
}


@pytest.mark.parametrize(
    ("model", "fields", "status", "text"), EMBED_ERRORS.values(), ids=EMBED_ERRORS
)
def test_refused_requests(
    tmp_path: Path, model: str, fields: dict[str, Any], status: int, text: str
) -> None:
    async def scene(w: World) -> None:
        assert await complaint(w.embed(model, **fields)) == (status, text)
        assert not w.launcher.plans

    play(tmp_path, scene, BERT)


LEGACY_ERRORS: dict[str, tuple[str, int, str]] = {
    "no model": ("", 400, "model is required"),
    "no name": ("bad name", 400, "invalid model name"),
    "an unknown model": ("x", 404, 'model "x" not found, try pulling it first'),
}


@pytest.mark.parametrize(("model", "status", "text"), LEGACY_ERRORS.values(), ids=LEGACY_ERRORS)
def test_refused_requests_of_the_older_form(
    tmp_path: Path, model: str, status: int, text: str
) -> None:
    async def scene(w: World) -> None:
        assert await complaint(w.embeddings(model, prompt="a")) == (status, text)

    play(tmp_path, scene, BERT)


def test_the_older_form_gives_the_vector_as_it_is(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_embed("a", [3, 4])
        assert list(await w.embeddings(prompt="a")) == [3, 4]
        assert [asked.truncate for asked in w.launcher.embeddings] == [False]

    play(tmp_path, scene, BERT)


def test_failures_of_the_engine(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_embed("long", BadRequest("too long "))
        w.launcher.will_embed("nan", [1, math.nan])
        nan = "embedding contains NaN or Inf values"
        assert await complaint(w.embed(input=["a", "long"])) == (400, "too long ")
        assert await complaint(w.embed(input=["a", "nan"])) == (400, nan)
        assert await complaint(w.embeddings(prompt="long")) == (400, "too long")
        assert await complaint(w.embeddings(prompt="nan")) == (400, nan)
        w.launcher.will_embed("crash", EngineDied("x"))
        assert (await complaint(w.embed(input="crash")))[0] == 500
        assert len((await w.embed(input="a")).vectors) == 1
        assert len(w.launcher.plans) == 2

    play(tmp_path, scene, BERT)
