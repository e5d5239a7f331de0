"""What is in the cache is not computed again, and never changes an answer, whatever the memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from puna.runner.handle import ProcessEngine
from puna.runner.protocol import LoadPlan
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.shapes import (
    make_tiny_experts,
    make_tiny_hybrid,
    make_tiny_mamba,
    make_tiny_window,
)
from tests.runner.test_engine import answer, order, with_engine

SHAPES: dict[str, Callable[[Path], Path]] = {
    "full attention": make_tiny_llama,
    "sliding window": make_tiny_window,
    "recurrent": make_tiny_mamba,
    "attention and states": make_tiny_hybrid,
    "experts": make_tiny_experts,
}
STORY = "Tom saw a big red ball and the happy dog ran home . " * 4


@pytest.fixture(params=list(SHAPES.values()), ids=list(SHAPES))
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> LoadPlan:
    path = request.param(tmp_path / "model.gguf")
    return LoadPlan(model=str(path), n_ctx=512, n_parallel=2, kv_type="f32", flash_attention=False)


def test_the_same_prompt_again(plan: LoadPlan) -> None:
    async def use(engine: ProcessEngine) -> None:
        first, end = await answer(engine, order(STORY, 24))
        assert (end.reason, end.cached_tokens) == ("length", 0)
        again, end = await answer(engine, order(STORY, 24))
        assert again == first
        assert end.cached_tokens in {0, end.prompt_tokens - 1}

    with_engine(plan, use)


def test_the_next_turn(plan: LoadPlan) -> None:
    """A chat that goes on: the answer before is part of the prompt now."""

    async def use(engine: ProcessEngine) -> None:
        said, end = await answer(engine, order(STORY, 40, want_tokens=True))
        assert end.tokens is not None
        turn = order(" The cat found a fish .", 24, prefix=end.tokens)
        warm, warm_end = await answer(engine, turn)
        assert warm_end.cached_tokens >= end.prompt_tokens
        for prompt in ("Lily", "the moon", "a fish and a bird"):  # another history, other cells
            await answer(engine, order(prompt + STORY, 24))
        await answer(engine, turn)
        cold = (await asyncio.gather(answer(engine, turn), answer(engine, turn)))[1][0]
        assert cold == warm
        assert said

    with_engine(plan, use)


def test_reuse_gives_what_a_fresh_engine_gives(plan: LoadPlan) -> None:
    prompts = [STORY[:60] + tail for tail in ("the cat", "a green tree", "the cat smiled")]
    fresh: list[str] = []

    async def one(prompt: str, engine: ProcessEngine) -> None:
        fresh.append((await answer(engine, order(prompt, 24)))[0])

    for prompt in prompts:
        with_engine(plan, partial(one, prompt))

    async def use(engine: ProcessEngine) -> None:
        warm = [await answer(engine, order(prompt, 24)) for prompt in prompts]
        assert [text for text, _ in warm] == fresh
        together = await asyncio.gather(*(answer(engine, order(p, 24)) for p in prompts))
        assert [text for text, _ in together] == fresh

    with_engine(plan, use)


def test_eight_users_share_a_beginning(tmp_path: Path) -> None:
    path = make_tiny_llama(tmp_path / "model.gguf")

    async def use(engine: ProcessEngine) -> None:
        orders = [order(f"{STORY}{tail}", 8) for tail in ("a", "b", "c", "d", "e", "f", "g", "h")]
        ends = [end for _, end in await asyncio.gather(*(answer(engine, o) for o in orders))]
        cached = sorted(end.cached_tokens for end in ends)
        assert cached[0] == 0
        assert all(count >= ends[0].prompt_tokens - 3 for count in cached[1:])

    with_engine(LoadPlan(model=str(path), n_ctx=512), use)
