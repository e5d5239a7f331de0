"""Tiny models that see or hear, as the tests load them, and what the engine's own helper makes of
them.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import mtmd_cpp as mtmd

from puna.api.media import kind_of_sound
from puna.runner.handle import ProcessEngine
from puna.runner.launcher import ProcessLauncher
from puna.runner.llama.projector import Projector
from puna.runner.pixels import read_pixels
from puna.runner.protocol import Generation, LoadPlan, Sampling, WarmPlan
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.projectors import GEMMA, LLAVA, QWEN, Eye, make_tiny_positions
from tests.fakes.shapes import make_tiny_window
from tests.runner.raw import Logits, RawEngine

__all__ = ["MAKERS", "Seer", "show", "straight", "what_follows", "with_engine"]


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


def show(prompt: str, *images: bytes, max_tokens: int = 16, **fields: Any) -> Generation:
    """An order for a greedy answer."""
    whole = {"sampling": Sampling(temperature=0), "n_ctx": 512, **fields}
    return Generation(prompt=prompt, images=images, max_tokens=max_tokens, **whole)


def straight(seer: Seer, prompt: str, images: Sequence[bytes], max_tokens: int = 16) -> str:
    """The same greedy answer by the engine's own helper, in a context of its own."""
    said = b""
    with _read(seer, prompt, images) as (raw, position):
        index = -1
        for place in range(position, position + max_tokens):
            token = int(np.argmax(raw.context.logits(index)))
            said += raw.model.piece(token)
            raw.context.begin()
            index = raw.context.add(0, place, [token], logits=1, apart=False)
            raw.context.decode()
    return said.decode()


def what_follows(seer: Seer, prompt: str, images: Sequence[bytes]) -> Logits:
    """The logits after a prompt, by the engine's own helper; shape (n_vocab,)."""
    with _read(seer, prompt, images) as (raw, _):
        return raw.context.logits(-1).copy()


@contextmanager
def _read(seer: Seer, prompt: str, images: Sequence[bytes]) -> Iterator[tuple[RawEngine, int]]:
    """An engine that has read a prompt, and the next position."""
    raw = RawEngine(seer.model, n_ctx=512)
    projector = Projector(str(seer.projector), raw.model, 1, on_card=False)
    bitmaps = (mtmd.mtmd_bitmap_p_ctypes * len(images))(
        *(_bitmap(each, projector.sample_rate) for each in images)
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
    yield raw, past.value
    projector.close()
    raw.close()


def _bitmap(file: bytes, rate: int) -> Any:
    if kind_of_sound(file):
        from puna.runner.sounds import read_sound  # noqa: PLC0415 - as in the runner

        samples = read_sound(file, 0, rate)
        return mtmd.mtmd_bitmap_init_from_audio(
            len(samples), samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        )
    pixels = np.ascontiguousarray(read_pixels(file, 0)[0])
    height, width, _ = pixels.shape
    return mtmd.mtmd_bitmap_init(
        width, height, pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
    )


def with_engine(
    plan: LoadPlan,
    use: Callable[[ProcessEngine], Awaitable[None]],
    warm: WarmPlan | None = None,
) -> None:
    """Load a model in a child and use it."""

    async def run() -> None:
        async with asyncio.timeout(100), ProcessLauncher(load_timeout=60, warm=warm) as launcher:
            await use(await launcher.launch(plan))

    asyncio.run(run())
