"""A real runner on a model in several files, which have the names of blobs."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from puna.errors import StartFailed
from puna.runner.launcher import ProcessLauncher
from puna.runner.llama.pooling import _has_head
from puna.runner.protocol import LoadPlan
from puna.runner.warm.fingerprint import fingerprint
from puna.scheduler.plans import compatible
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.splits import make_split_llama
from tests.runner.test_engine import PROMPTS, answer, loaded, order


def as_blobs(paths: list[Path]) -> list[str]:
    """The files under the names that they have in a store."""
    return [
        str(path.rename(path.with_name(f"sha256-{hashlib.sha256(path.read_bytes()).hexdigest()}")))
        for path in paths
    ]


def plan_of(paths: list[str]) -> LoadPlan:
    return LoadPlan(model=paths[0], parts=tuple(paths[1:]), n_ctx=512)


async def texts(plan: LoadPlan) -> list[str]:
    async with asyncio.timeout(60), loaded(plan) as engine:
        assert engine.info.size > 0
        return [(await answer(engine, order(prompt)))[0] for prompt in PROMPTS]


def test_greedy_text_is_that_of_the_whole_file(tmp_path: Path) -> None:
    whole = make_tiny_llama(tmp_path / "whole.gguf")
    parts = as_blobs(make_split_llama(tmp_path))
    expected = asyncio.run(texts(LoadPlan(model=str(whole), n_ctx=512)))
    assert asyncio.run(texts(plan_of(parts))) == expected
    assert len(set(expected)) > 1


def test_parts_in_the_wrong_order_or_missing_do_not_load(tmp_path: Path) -> None:
    one, two, three = as_blobs(make_split_llama(tmp_path))
    gone = str(tmp_path / "gone")

    async def load(paths: list[str]) -> None:
        async with asyncio.timeout(60), ProcessLauncher(load_timeout=60) as launcher:
            await launcher.launch(plan_of(paths))

    for paths, words in (
        ([one, three, two], "invalid split file idx"),
        ([one, two], "invalid split count"),
        ([one, two, gone], gone),
    ):
        with pytest.raises(StartFailed, match=words):
            asyncio.run(load(paths))


def test_what_is_known_of_a_model_counts_all_its_parts(tmp_path: Path) -> None:
    one, two, three = as_blobs(make_split_llama(tmp_path))
    plan = plan_of([one, two, three])
    assert plan.files == (one, two, three)
    other = plan_of([one, three, two])
    assert not compatible(plan, other)
    assert fingerprint(plan, "e") != fingerprint(other, "e")
    assert not _has_head(plan.weights)
