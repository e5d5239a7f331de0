"""Models that see, on the real engine: tiny projectors of three families."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest

from puna.errors import BadRequest, ContextExceeded
from puna.runner.handle import ProcessEngine
from puna.runner.llama.projector import Chunk, Picture, Projector
from puna.runner.media import Encoder, Media, Seen
from puna.runner.pixels import read_pixels
from puna.runner.protocol import LoadPlan, WarmPlan
from tests.fakes.projectors import (
    GEMMA,
    LLAVA,
    TILES,
    Eye,
    make_image,
    make_projector,
)
from tests.fakes.shapes import make_tiny_window
from tests.runner.raw import RawEngine
from tests.runner.seers import MAKERS, Seer, show, straight, with_engine
from tests.runner.test_engine import answer

ONE, OTHER = make_image(seed=1), make_image(seed=2)
WIDE = make_image(112, 60, seed=3)
QUESTION = "the dog [img-0] said"


@pytest.fixture(scope="module")
def seers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seer]:
    folder = tmp_path_factory.mktemp("seers")

    def make(name: str, eye: Eye) -> Seer:
        model = MAKERS[name][0](folder / f"{name}.gguf")
        return Seer(model, make_projector(folder / f"{name}-eye.gguf", eye), eye.tokens)

    return {name: make(name, eye) for name, (_, eye) in MAKERS.items()}


@pytest.fixture(params=MAKERS)
def seer(request: pytest.FixtureRequest, seers: dict[str, Seer]) -> Seer:
    return seers[request.param]


@pytest.fixture
def llava(seers: dict[str, Seer]) -> Seer:
    return seers["llava"]


ORDERS: dict[str, tuple[str, list[bytes]]] = {
    "one": (QUESTION, [ONE]),
    "two": ("the dog [img-0] and [img-1] said", [ONE, OTHER]),
    "neighbours": ("[img-0][img-1] sun", [OTHER, ONE]),
    "twice the same": ("[img-0] and [img-1] sun", [ONE, ONE]),
    "of another shape": ("Lily saw [img-0].", [WIDE]),
}


def test_answers_are_those_of_a_straight_loop(seer: Seer) -> None:
    expected = {name: straight(seer, *order) for name, order in ORDERS.items()}

    async def use(engine: ProcessEngine) -> None:
        for name, (prompt, images) in ORDERS.items():
            for _ in range(2):  # from nothing, and from what the cells have
                text, _ = await answer(engine, show(prompt, *images))
                assert (name, text) == (name, expected[name])

    with_engine(seer.plan(), use)
    assert len(set(expected.values())) > 3


def test_images_in_several_tiles(llava: Seer, tmp_path: Path) -> None:
    seer = Seer(llava.model, make_projector(tmp_path / "eye.gguf", TILES), TILES.tokens)
    shown = [WIDE, make_image(200, 70, seed=5), ONE]
    prompt = "the dog [img-0] and [img-1] and [img-2] said"
    expected = straight(seer, prompt, shown)

    async def use(engine: ProcessEngine) -> None:
        for reused in (False, True):
            text, end = await answer(engine, show(prompt, *shown))
            assert text == expected
            assert (end.cached_tokens > 0) is reused
            assert end.prompt_tokens > 6 * TILES.tokens

    with_engine(seer.plan(), use)


def test_a_second_question_reads_the_image_no_more(seer: Seer) -> None:
    async def use(engine: ProcessEngine) -> None:
        _, first = await answer(engine, show("the dog [img-0] said moon", ONE))
        again, second = await answer(engine, show("the dog [img-0] saw sun", ONE))
        _, other = await answer(engine, show("the dog [img-0] saw sun", OTHER))
        before = first.prompt_tokens - 2
        assert before > seer.tokens
        assert (first.cached_tokens, second.cached_tokens) == (0, before)
        assert 3 < other.cached_tokens <= before - seer.tokens
        assert again == straight(seer, "the dog [img-0] saw sun", [ONE])

    with_engine(seer.plan(), use)


def test_images_beside_texts_change_nothing(seer: Seer) -> None:
    """Cells run short as well: with 512 for six answers of 100 tokens, some must begin again."""
    orders = [
        show("the dog [img-0] said", ONE, max_tokens=100),
        show("Once upon a time", max_tokens=100),
        show("[img-0][img-1] sun", OTHER, ONE, max_tokens=100),
        show("Lily and Tom", max_tokens=100),
        show("Lily saw [img-0].", WIDE, max_tokens=100),
        show("the dog [img-0] said", OTHER, max_tokens=100),
    ]

    async def use(engine: ProcessEngine) -> None:
        alone = [(await answer(engine, each))[0] for each in orders]
        for _ in range(2):
            together = await asyncio.gather(*(answer(engine, each) for each in orders))
            assert [text for text, _ in together] == alone

    with_engine(seer.plan(), use)


def test_who_leaves_amid_an_image_hurts_nobody(seer: Seer) -> None:
    images = [make_image(seed=seed) for seed in range(20, 30)]
    prompt = "the dog " + "".join(f"[img-{n}]" for n in range(10)) + " said"

    async def use(engine: ProcessEngine) -> None:
        whole, _ = await answer(engine, show(prompt, *images))
        for wait in (0, 0.005, 0.02, 0.05):
            fresh = [make_image(seed=int(1000 * wait) + 40 + n) for n in range(10)]
            async with engine.generate(show(prompt, *fresh)):
                await asyncio.sleep(wait)
        again, _ = await answer(engine, show(prompt, *images))
        assert again == whole

    with_engine(seer.plan(), use)


HOSTILE: dict[str, tuple[str, bytes, str]] = {
    "no file": (QUESTION, b"", "image 0 cannot be read: cannot identify image file"),
    "a text": (QUESTION, b"hello", "image 0 cannot be read: cannot identify image file"),
    "cut off": (QUESTION, ONE[: len(ONE) // 2], "image 0 cannot be read"),
    "damaged": (QUESTION, ONE[:60] + b"\xff" * 40 + ONE[100:], "image 0 cannot be read"),
    "a drawing for printers": (
        QUESTION,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%EOF",
        "image 0 cannot be read",
    ),
    "narrow": (QUESTION, make_image(505, 5), "image 0 is too narrow: 505 x 5 pixels"),
    "a tag too many": ("[img-1] said", ONE, "does not say where image 0 is"),
    "a tag with zeros": ("[img-00] said", ONE, "does not say where image 0 is"),
}


def test_what_cannot_be_seen_is_refused_and_nothing_else_hurt(seer: Seer) -> None:
    async def use(engine: ProcessEngine) -> None:
        expected, _ = await answer(engine, show(QUESTION, ONE))
        for prompt, image, complaint in HOSTILE.values():
            with pytest.raises(BadRequest, match=complaint):
                await answer(engine, show(prompt, image))
            assert (await answer(engine, show(QUESTION, ONE)))[0] == expected

    with_engine(seer.plan(), use)


SHAPES = [(1, 1), (1, 100), (100, 1), (3, 299), (2000, 20), (57, 55)]


def test_odd_shapes_are_seen(seer: Seer) -> None:
    async def use(engine: ProcessEngine) -> None:
        for width, height in SHAPES:
            text, _ = await answer(engine, show(QUESTION, make_image(width, height)))
            assert text

    with_engine(seer.plan(), use)


def test_a_context_that_is_too_small(llava: Seer) -> None:
    async def use(engine: ProcessEngine) -> None:
        with pytest.raises(ContextExceeded):
            await answer(engine, show(QUESTION, ONE, n_ctx=20))
        _, end = await answer(engine, show(QUESTION, ONE, n_ctx=32, max_tokens=100))
        assert (end.reason, end.truncated) == ("length", False)
        assert end.prompt_tokens + end.eval_tokens == 33

    with_engine(llava.plan(), use)


def test_images_are_measured(seer: Seer) -> None:
    async def use(engine: ProcessEngine) -> None:
        _, bare = await answer(engine, show("the dog  said"))
        _, seen = await answer(engine, show(QUESTION, ONE))
        (size,) = await engine.measure([ONE])
        assert seer.tokens <= size
        assert abs(bare.prompt_tokens + size - seen.prompt_tokens) <= 1  # a blank more or less
        assert await engine.measure([WIDE, ONE, WIDE]) == [*await engine.measure([WIDE, ONE, WIDE])]
        with pytest.raises(BadRequest, match="image 0 cannot be read"):
            await engine.measure([b"hello", ONE])
        assert await engine.measure([]) == []

    with_engine(seer.plan(), use)


def test_what_is_too_large_for_the_context_is_made_smaller(seers: dict[str, Seer]) -> None:
    """Only this family's tokens follow the size of an image."""
    large = make_image(560, 560, seed=4)

    async def use(engine: ProcessEngine) -> None:
        (size,) = await engine.measure([large])
        assert size > 400
        whole, free = await answer(engine, show(QUESTION, large))
        text, tight = await answer(engine, show(QUESTION, large, n_ctx=256, max_tokens=8))
        again, cached = await answer(engine, show(QUESTION, large, n_ctx=256, max_tokens=8))
        assert (free.truncated, tight.truncated) == (False, True)
        assert tight.prompt_tokens < 256 - 8 < free.prompt_tokens
        assert text == again != whole[: len(text)]
        assert cached.cached_tokens == tight.prompt_tokens - 1

    with_engine(seers["qwen"].plan(), use)


def test_an_image_at_the_end_is_answered(seer: Seer) -> None:
    async def use(engine: ProcessEngine) -> None:
        texts = [(await answer(engine, show("sun [img-0]", image)))[0] for image in (ONE, OTHER)]
        assert texts[0] != texts[1]
        assert (await answer(engine, show("sun [img-0]", ONE)))[0] == texts[0]

    with_engine(seer.plan(), use)


def test_answers_about_images_can_be_held_to_something(llava: Seer) -> None:
    async def use(engine: ProcessEngine) -> None:
        text, _ = await answer(engine, show(QUESTION, ONE, regex="[0-9]{3}"))
        assert len(text) == 3
        assert text.isdigit()

    with_engine(llava.plan(), use)


def test_earlier_tokens_come_before_the_image(llava: Seer) -> None:
    async def use(engine: ProcessEngine) -> None:
        first, end = await answer(engine, show("Once upon a time", want_tokens=True))
        order = show(QUESTION, ONE, prefix=end.tokens, want_tokens=True)
        text, end = await answer(engine, order)
        assert end.tokens is not None
        assert min(end.tokens) >= 0
        assert text != first

    with_engine(llava.plan(), use)


def test_a_model_without_a_projector_says_so(llava: Seer) -> None:
    async def use(engine: ProcessEngine) -> None:
        with pytest.raises(BadRequest, match="loaded without a projector"):
            await answer(engine, show(QUESTION, ONE))

    with_engine(LoadPlan(model=str(llava.model), n_ctx=512), use)


def test_with_a_projector_that_does_not_fit_a_model_understands_texts(
    llava: Seer, tmp_path: Path
) -> None:
    wide = make_projector(tmp_path / "wide.gguf", LLAVA, n_embd=128)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(wide.read_bytes()[:5000])
    wrong = {wide: "mismatch between text model", cut: "failed to load projector"}
    for projector, complaint in wrong.items():

        async def use(engine: ProcessEngine, complaint: str = complaint) -> None:
            assert (await answer(engine, show("the dog")))[0]
            with pytest.raises(BadRequest, match=f"this model cannot see or hear: .*{complaint}"):
                await answer(engine, show(QUESTION, ONE))
            with pytest.raises(BadRequest, match="this model cannot see"):
                await engine.measure([ONE])

        with_engine(Seer(llava.model, projector, 0).plan(), use)


def test_a_whole_image_needs_a_batch_that_holds_it(tmp_path: Path) -> None:
    model = make_tiny_window(tmp_path / "gemma.gguf")
    eye = make_projector(tmp_path / "eye.gguf", GEMMA, image_size=560)  # 400 tokens at once
    plan = Seer(model, eye, 400).plan(n_batch=128)

    async def use(engine: ProcessEngine) -> None:
        with pytest.raises(
            BadRequest, match="an image has 400 tokens that the model must take in at once"
        ):
            await answer(engine, show(QUESTION, ONE))
        assert (await answer(engine, show("the dog")))[0]

    with_engine(plan, use)


def test_what_was_read_before_an_image_outlives_the_runner(seer: Seer, tmp_path: Path) -> None:
    """Images are read anew; a whole state or window with an image is not saved at all."""
    words = "the dog and the cat and Lily and Tom and the big red ball and the sun and the moon "
    prompt = words + "[img-0] said"
    warm = WarmPlan(disk=str(tmp_path), disk_limit=1 << 30)
    seen: list[tuple[str, int]] = []

    async def use(engine: ProcessEngine) -> None:
        text, end = await answer(engine, show(prompt, ONE))
        seen.append((text, end.cached_tokens))

    for _ in range(2):
        with_engine(seer.plan(), use, warm)
    (first, none), (second, some) = seen
    assert (first, none) == (second, 0)
    assert some == 0 if seer.tokens == GEMMA.tokens else some >= n_tokens(seer, words)


def n_tokens(seer: Seer, text: str) -> int:
    """How many tokens a prompt has."""
    raw = RawEngine(seer.model)
    count = len(raw.model.tokenize_prompt(text))
    raw.close()
    return count


def test_images_are_encoded_once(llava: Seer) -> None:
    raw = RawEngine(llava.model)
    projector = Projector(str(llava.projector), raw.model, 1, on_card=False)
    chunks = [read_chunk(projector, image) for image in (ONE, OTHER, ONE, ONE)]
    assert chunks[0].key == chunks[2].key != chunks[1].key
    answers: list[Seen] = []
    arrived = threading.Semaphore(0)

    def deliver(seen: Seen) -> None:
        answers.append(seen)
        arrived.release()

    size = projector.encode(chunks[0]).nbytes
    encoder = Encoder(projector, deliver, cache_bytes=size)  # room for one
    for id, chunk in enumerate(chunks):
        encoder.ask(id, Media(0, chunk))
    for _ in chunks:
        assert arrived.acquire(timeout=30)
    assert [seen.id for seen in answers] == [0, 1, 2, 3]
    assert encoder.n_encoded == 3
    vectors = [seen.vectors for seen in answers if seen.vectors is not None]
    assert np.array_equal(vectors[0], vectors[3])
    assert not np.array_equal(vectors[0], vectors[1])
    raw.close()


def read_chunk(projector: Projector, image: bytes) -> Chunk:
    picture = Picture(read_pixels(image, 0)[0], hashlib.sha256(image).hexdigest())
    (chunk,) = projector.read([picture], with_bos=False)
    assert isinstance(chunk, Chunk)
    return chunk
