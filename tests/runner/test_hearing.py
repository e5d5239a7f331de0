"""Models that hear, on the real engine: a tiny projector of Whisper's kind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from puna.errors import BadRequest, ContextExceeded
from puna.runner.handle import ProcessEngine
from tests.fakes.ears import EAR_TOKENS, make_both, make_ear, make_sound
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.projectors import LLAVA, QWEN, make_image, make_projector, make_tiny_positions
from tests.runner.seers import Seer, show, straight, with_engine
from tests.runner.test_engine import answer

ONE, OTHER = make_sound(2, seed=1), make_sound(2, seed=2, format="MP3", rate=44_100)
LONG = make_sound(31, seed=3)  # two windows of 30 seconds
IMAGE = make_image(seed=1)
QUESTION = "the dog [img-0] said"


@pytest.fixture(scope="module")
def ears(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seer]:
    """One that only hears, one that sees as well and places things in three dimensions, and one
    that only sees."""
    folder = tmp_path_factory.mktemp("ears")
    ear = make_ear(folder / "ear.gguf")
    model = make_tiny_llama(folder / "llama.gguf")
    turning = make_tiny_positions(folder / "positions.gguf")
    eye = make_projector(folder / "eye.gguf", LLAVA)
    merger = make_projector(folder / "merger.gguf", QWEN)
    return {
        "ear": Seer(model, ear, EAR_TOKENS),
        "turning": Seer(turning, make_both(folder / "turn.gguf", merger, ear), EAR_TOKENS),
        "eye": Seer(model, eye, LLAVA.tokens),
    }


HEARD: dict[str, tuple[str, list[bytes]]] = {
    "one": (QUESTION, [ONE]),
    "two": ("the dog [img-0] and [img-1] said", [ONE, OTHER]),
    "neighbours": ("[img-0][img-1] sun", [OTHER, ONE]),
    "of two windows": ("Lily heard [img-0].", [LONG]),
}
MIXED: dict[str, tuple[str, list[bytes]]] = HEARD | {
    "before an image": ("[img-0] and [img-1] sun", [ONE, IMAGE]),
    "after an image": ("[img-0] and [img-1] sun", [IMAGE, ONE]),
    "an image alone": (QUESTION, [IMAGE]),
}


@pytest.mark.parametrize("name", ["ear", "turning"])
def test_answers_are_those_of_a_straight_loop(ears: dict[str, Seer], name: str) -> None:
    seer = ears[name]
    orders = HEARD if name == "ear" else MIXED
    expected = {name: straight(seer, *order) for name, order in orders.items()}

    async def use(engine: ProcessEngine) -> None:
        for reused in (False, True):
            for name, (prompt, files) in orders.items():
                text, end = await answer(engine, show(prompt, *files))
                assert (name, text) == (name, expected[name])
                assert not reused or end.cached_tokens > EAR_TOKENS // 2
        together = await asyncio.gather(
            *(answer(engine, show(prompt, *files)) for prompt, files in orders.values())
        )
        assert [text for text, _ in together] == list(expected.values())

    with_engine(seer.plan(), use)
    assert len(set(expected.values())) > 2


def test_recordings_are_measured_reused_and_kept_in_the_context(ears: dict[str, Seer]) -> None:
    async def use(engine: ProcessEngine) -> None:
        assert await engine.measure([ONE, LONG]) == [EAR_TOKENS, 2 * EAR_TOKENS]
        _, first = await answer(engine, show("the dog [img-0] said moon", ONE))
        _, second = await answer(engine, show("the dog [img-0] saw sun", ONE))
        _, other = await answer(engine, show("the dog [img-0] saw sun", OTHER))
        assert second.cached_tokens == first.prompt_tokens - 2 > EAR_TOKENS
        assert other.cached_tokens < EAR_TOKENS
        with pytest.raises(ContextExceeded):  # a recording is not made shorter, as images are
            await answer(engine, show(QUESTION, LONG, n_ctx=40))
        for file, complaint in (
            (ONE[:30], "recording 0 cannot be read"),
            (IMAGE, "this model hears, but cannot see images"),
        ):
            with pytest.raises(BadRequest, match=complaint):
                await answer(engine, show(QUESTION, file))
            with pytest.raises(BadRequest, match=complaint):
                await engine.measure([file])

    with_engine(ears["ear"].plan(), use)


def test_a_model_that_only_sees(ears: dict[str, Seer]) -> None:
    async def use(engine: ProcessEngine) -> None:
        with pytest.raises(BadRequest, match="this model sees, but cannot hear recordings"):
            await answer(engine, show(QUESTION, ONE))
        with pytest.raises(BadRequest, match="cannot hear"):
            await engine.measure([ONE])
        assert (await answer(engine, show(QUESTION, IMAGE)))[0]

    with_engine(ears["eye"].plan(), use)


def test_a_projector_for_too_wide_a_model(ears: dict[str, Seer], tmp_path: Path) -> None:
    wide = make_ear(tmp_path / "wide.gguf", n_embd=128)

    async def use(engine: ProcessEngine) -> None:
        assert (await answer(engine, show("the dog")))[0]
        with pytest.raises(BadRequest, match="mismatch between text model"):
            await answer(engine, show(QUESTION, ONE))

    with_engine(Seer(ears["ear"].model, wide, 0).plan(), use)
