"""Prefixes outlive their runner: the next one goes on from them, to the same answers."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from puna.runner.launcher import ProcessLauncher
from puna.runner.protocol import Finished, Generation, LoadPlan, WarmPlan
from tests.fakes.ggufs import make_tiny_adapter, make_tiny_llama
from tests.fakes.shapes import (
    make_tiny_experts,
    make_tiny_hybrid,
    make_tiny_mamba,
    make_tiny_window,
)
from tests.runner.test_engine import answer, order

STORY = "Tom saw a big red ball and the happy dog ran home . " * 4


@dataclasses.dataclass
class Shape:
    """A model's kind of memory, and a type for its cells."""

    make: Callable[..., Path]
    kv_type: str = "f16"
    heads: dict[str, int] = dataclasses.field(default_factory=dict)


WIDE = {"n_heads": 2}  # q8_0 packs 32 values, so heads must be that wide
SHAPES = {
    "full attention, f16": Shape(make_tiny_llama),
    "full attention, q8_0": Shape(make_tiny_llama, "q8_0", WIDE),
    "sliding window, f16": Shape(make_tiny_window),
    "sliding window, q8_0": Shape(make_tiny_window, "q8_0", WIDE),
    "recurrent, f16": Shape(make_tiny_mamba),
    "attention and states, f16": Shape(make_tiny_hybrid),
    "recurrent, q8_0": Shape(make_tiny_mamba, "q8_0"),
    "experts, f16": Shape(make_tiny_experts),
}


@pytest.fixture(params=list(SHAPES.values()), ids=list(SHAPES))
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> LoadPlan:
    shape: Shape = request.param
    path = shape.make(tmp_path / "model.gguf", **shape.heads)
    return plan_of(path, shape.kv_type)


def plan_of(model: Path, kv_type: str = "f16") -> LoadPlan:
    return LoadPlan(model=str(model), n_ctx=512, n_parallel=2, kv_type=kv_type)


def run(
    plan: LoadPlan, orders: list[Generation], warm: WarmPlan | None = None
) -> list[tuple[str, Finished]]:
    """The answers of a runner of its own, one after another; then it is ended in order."""

    async def ask() -> list[tuple[str, Finished]]:
        async with asyncio.timeout(60), ProcessLauncher(60, warm) as launcher:
            engine = await launcher.launch(plan)
            answers = [await answer(engine, each) for each in orders]
            await engine.close()
            return answers

    return asyncio.run(ask())


def folder_plan(folder: Path) -> WarmPlan:
    return WarmPlan(disk=str(folder), disk_limit=1 << 28)


def begin_chat(plan: LoadPlan, folder: Path) -> tuple[Generation, int]:
    """A first turn whose runner ends: the second turn, and how much of it could be saved."""
    ((_, end),) = run(plan, [order(STORY, 40, want_tokens=True)], folder_plan(folder))
    assert end.tokens is not None
    return order(" The cat found a fish .", 24, prefix=end.tokens), len(end.tokens) - 1


def test_a_chat_goes_on_in_another_runner(plan: LoadPlan, tmp_path: Path) -> None:
    turn, saved = begin_chat(plan, tmp_path / "kv")
    ((warm, warm_end),) = run(plan, [turn], folder_plan(tmp_path / "kv"))
    ((cold, cold_end),) = run(plan, [turn])
    assert warm == cold
    assert (warm_end.cached_tokens, cold_end.cached_tokens) == (saved, 0)


def test_users_with_one_system_prompt(tmp_path: Path) -> None:
    """What they share is saved once and serves whoever comes."""
    plan, warm = plan_of(make_tiny_llama(tmp_path / "model.gguf")), folder_plan(tmp_path / "kv")
    first = [
        order(f"{STORY}{name} found a fish and a bird in the park .", 24)
        for name in ("Tom", "Lily")
    ]
    run(plan, first, warm)
    sizes = sorted(path.stat().st_size for path in (tmp_path / "kv").glob("*.kv"))
    assert len(sizes) == 2
    assert sizes[0] < sizes[1] * 0.6
    later = [*first, order(f"{STORY}the dog", 24)]
    answers = run(plan, later, warm)
    assert [text for text, _ in answers] == [text for text, _ in run(plan, later)]
    assert all(end.cached_tokens > 50 for _, end in answers)


def test_an_edited_prompt_uses_what_is_still_true(tmp_path: Path) -> None:
    plan, warm = plan_of(make_tiny_llama(tmp_path / "model.gguf")), folder_plan(tmp_path / "kv")
    ((_, end),) = run(plan, [order(STORY, 24)], warm)
    edited = order(STORY[: len(STORY) // 2] + "and the moon", 24)
    ((text, edited_end),) = run(plan, [edited], warm)
    assert text == run(plan, [edited])[0][0]
    assert 16 < edited_end.cached_tokens < end.prompt_tokens


OTHERS: dict[str, Callable[[LoadPlan, Path], LoadPlan]] = {
    "weights": lambda plan, at: plan_of(make_tiny_llama(at / "other.gguf", seed=1)),
    "type of the cells": lambda plan, at: plan_of(Path(plan.model), "f32"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_model_s_cells_are_not_used(
    other: Callable[[LoadPlan, Path], LoadPlan], tmp_path: Path
) -> None:
    plan = plan_of(make_tiny_llama(tmp_path / "model.gguf"))
    turn, _ = begin_chat(plan, tmp_path / "kv")
    plan = other(plan, tmp_path)
    ((text, end),) = run(plan, [turn], folder_plan(tmp_path / "kv"))
    assert end.cached_tokens == 0
    assert text == run(plan, [turn])[0][0]


def test_damaged_files_are_ignored(
    plan: LoadPlan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    turn, _ = begin_chat(plan, tmp_path / "kv")
    (path,) = (tmp_path / "kv").glob("*.kv")
    content = bytearray(path.read_bytes())
    content[random.Random(0).randrange(len(content) // 2, len(content))] ^= 1
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        ((text, end),) = run(plan, [turn], folder_plan(tmp_path / "kv"))
    assert end.cached_tokens == 0
    assert f"ignoring the saved prefix {path}" in caplog.text
    assert text == run(plan, [turn])[0][0]


def test_an_adapter_makes_other_cells(tmp_path: Path) -> None:
    plan = plan_of(make_tiny_llama(tmp_path / "model.gguf"))
    adapter = make_tiny_adapter(tmp_path / "adapter.gguf")
    turn, _ = begin_chat(plan, tmp_path / "kv")
    adapted = LoadPlan(
        model=plan.model, adapters=(str(adapter),), n_ctx=512, n_parallel=2, kv_type="f16"
    )
    assert run(adapted, [turn], folder_plan(tmp_path / "kv"))[0][1].cached_tokens == 0


def test_a_runner_that_is_killed_leaves_what_was_there(tmp_path: Path) -> None:
    plan, warm = plan_of(make_tiny_llama(tmp_path / "model.gguf")), folder_plan(tmp_path / "kv")
    turn, saved = begin_chat(plan, tmp_path / "kv")

    async def kill() -> None:
        async with ProcessLauncher(60, warm) as launcher:
            engine = await launcher.launch(plan)
            await answer(engine, order("Lily " + STORY, 24))
            engine._kill()
            await engine.close()

    asyncio.run(kill())
    assert run(plan, [turn], warm)[0][1].cached_tokens == saved


def test_a_request_that_runs_while_its_runner_ends(tmp_path: Path) -> None:
    """It fails, but what it had read is kept."""
    plan, warm = plan_of(make_tiny_llama(tmp_path / "model.gguf")), folder_plan(tmp_path / "kv")

    async def cut_off() -> None:
        async with ProcessLauncher(60, warm) as launcher:
            engine = await launcher.launch(plan)
            async with engine.generate(order(STORY, 4000)) as events:
                await anext(events)
                await engine.close()
                with pytest.raises(Exception, match="exit status 0"):
                    async for _ in events:
                        pass

    asyncio.run(cut_off())
    assert run(plan, [order(STORY, 8)], warm)[0][1].cached_tokens > 50


@pytest.mark.parametrize(("original", "kept"), [(None, True), (64, False)], ids=["one", "two"])
def test_how_many_ranges_of_positions_a_model_has(
    tmp_path: Path, original: int | None, kept: bool
) -> None:
    """With two, a larger context may turn positions in another way: its cells are others."""
    model = make_tiny_llama(tmp_path / "model.gguf", n_ctx_original=original)
    plan = plan_of(model)
    turn, _ = begin_chat(plan, tmp_path / "kv")
    ((_, end),) = run(
        msgspec.structs.replace(plan, n_ctx=1024), [turn], folder_plan(tmp_path / "kv")
    )
    assert (end.cached_tokens > 0) == kept
