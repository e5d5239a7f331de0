"""Models that see, on the real engine: tiny projectors of three families."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_cpp import mtmd_cpp as mtmd

from puna.runner.handle import ProcessEngine
from puna.runner.llama.vision import Projector
from puna.runner.pixels import read_pixels
from puna.runner.protocol import Generation, LoadPlan, Sampling
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.projectors import (
    GEMMA,
    LLAVA,
    QWEN,
    Eye,
    make_image,
    make_projector,
    make_tiny_positions,
)
from tests.fakes.shapes import make_tiny_window
from tests.runner.raw import RawEngine
from tests.runner.test_engine import answer, with_engine

ONE, OTHER = make_image(seed=1), make_image(seed=2)
WIDE = make_image(112, 60, seed=3)
QUESTION = "the dog [img-0] said"


@dataclass(frozen=True)
class Seer:
    """A model, its projector, and how many tokens it makes of ONE."""

    model: Path
    projector: Path
    tokens: int

    def plan(self, **fields: Any) -> LoadPlan:
        exact = {"n_ctx": 512, "kv_type": "f32", "flash_attention": False, **fields}
        return LoadPlan(model=str(self.model), projector=str(self.projector), **exact)


MAKERS: dict[str, tuple[Callable[[Path], Path], Eye]] = {
    "llava": (make_tiny_llama, LLAVA),
    "gemma": (make_tiny_window, GEMMA),
    "qwen": (make_tiny_positions, QWEN),
}


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


def show(prompt: str, *images: bytes, max_tokens: int = 16, **fields: Any) -> Generation:
    whole = {"sampling": Sampling(temperature=0), "n_ctx": 512, **fields}
    return Generation(prompt=prompt, images=images, max_tokens=max_tokens, **whole)


def straight(seer: Seer, prompt: str, images: Sequence[bytes], max_tokens: int = 16) -> str:
    """The same greedy answer by the engine's own helper, in a context of its own."""
    raw = RawEngine(seer.model, n_ctx=512)
    projector = Projector(str(seer.projector), raw.model, 1, on_card=False)
    pixels = [np.ascontiguousarray(read_pixels(image, 0)) for image in images]
    bitmaps = (mtmd.mtmd_bitmap_p_ctypes * len(images))(
        *(
            mtmd.mtmd_bitmap_init(
                each.shape[1],
                each.shape[0],
                each.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)),
            )
            for each in pixels
        )
    )
    text = prompt.encode()
    for number in range(len(images)):
        text = text.replace(b"[img-%d]" % number, mtmd.mtmd_default_marker())
    chunks = mtmd.mtmd_input_chunks_init()
    whole = mtmd.mtmd_input_text(text, len(text), True, True)
    handle = projector._handle
    assert not mtmd.mtmd_tokenize(handle, chunks, ctypes.byref(whole), bitmaps, len(images))
    past = ctypes.c_int32()
    context = raw.context._handle
    assert not mtmd.mtmd_helper_eval_chunks(
        handle, context, chunks, 0, 0, 512, True, ctypes.byref(past)
    )
    said = b""
    index, position = -1, past.value
    for _ in range(max_tokens):
        token = int(np.argmax(raw.context.logits(index)))
        said += raw.model.piece(token)
        raw.context.begin()
        index = raw.context.add(0, position, [token], logits=1, apart=False)
        raw.context.decode()
        position += 1
    projector.close()
    raw.close()
    return said.decode()


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
