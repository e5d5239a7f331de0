"""What a plan says reaches the engine: sizes, threads, types of cells, mapping, cards, adapters."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader

from puna.runner.handle import ProcessEngine
from puna.runner.llama.context import Context
from puna.runner.llama.library import LOG, lib
from puna.runner.llama.model import _model_params
from puna.runner.protocol import LoadPlan
from tests.fakes.ggufs import make_tiny_adapter, make_tiny_llama
from tests.runner.raw import Logits, RawEngine
from tests.runner.test_engine import answer, order, with_engine

TOKENS = [1, 300, 310, 320, 305]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("models") / "tiny.gguf", n_heads=2)


@contextmanager
def opened(path: Path, **plan: Any) -> Iterator[tuple[RawEngine, int]]:
    """An engine of a plan, and the bytes of its cells."""
    before = LOG.cells
    engine = RawEngine(path, **plan)
    try:
        yield engine, LOG.cells - before
    finally:
        engine.close()


def test_the_sizes_of_batches_and_contexts(path: Path) -> None:
    for n_batch in (100, 200):
        with opened(path, n_ctx=512, n_batch=n_batch) as (engine, _):
            handle = engine.context._handle
            assert (lib.llama_n_ctx(handle), lib.llama_n_batch(handle)) == (512, n_batch)


def test_the_threads_of_a_context(path: Path) -> None:
    with opened(path) as (engine, _):
        context = Context(engine.model, LoadPlan(model=str(path), n_ctx=256), 3)
        assert lib.llama_n_threads(context._handle) == 3
        assert lib.llama_n_threads_batch(context._handle) == 3
        context.close()


def test_a_runner_computes_with_as_many_threads_as_it_is_told(path: Path) -> None:
    counts: list[int] = []

    async def use(engine: ProcessEngine) -> None:
        await answer(engine, order("Once", 5))
        counts.append(len(os.listdir(f"/proc/{engine.info.pid}/task")))

    for n_threads in (1, 3):
        with_engine(LoadPlan(model=str(path), n_ctx=512, n_threads=n_threads), use)
    assert counts[1] == counts[0] + 2


CELL_BYTES = {"f32": 4.0, "f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}


def test_the_type_of_the_cells(path: Path) -> None:
    sizes = {}
    for kv_type in CELL_BYTES:
        plan = {"kv_type": kv_type, "flash_attention": True, "n_ctx": 4096}
        with opened(path, **plan) as (_, size):
            sizes[kv_type] = size / (4096 * 2 * 64 * 2)  # two layers, 64 wide, keys and values
    assert sizes == pytest.approx(CELL_BYTES, rel=0.02)


def test_what_is_computed_with_flash_attention_and_without(path: Path) -> None:
    found: list[Logits] = []
    for flash_attention in (True, False, None):
        plan = {"flash_attention": flash_attention, "kv_type": "f16"}
        with opened(path, **plan) as (engine, _):
            found.append(engine.logits(TOKENS).copy())
    with_it, without, automatic = found
    assert not np.array_equal(with_it, without)
    np.testing.assert_array_equal(automatic, with_it)


@pytest.mark.parametrize("use_mmap", [True, False])
def test_whether_the_file_is_mapped(path: Path, *, use_mmap: bool) -> None:
    with opened(path, use_mmap=use_mmap):
        assert (str(path) in Path("/proc/self/maps").read_text()) is use_mmap


def test_the_card_that_a_request_names() -> None:
    """As far as it can be seen where there is none: what the engine is told."""
    told = _model_params(LoadPlan(model="", main_gpu=3), lambda _: None)
    assert (told.main_gpu, told.split_mode) == (3, lib.LLAMA_SPLIT_MODE_NONE)
    told = _model_params(LoadPlan(model="", n_gpu_layers=7), lambda _: None)
    assert (told.n_gpu_layers, told.split_mode) == (7, lib.LLAMA_SPLIT_MODE_LAYER)


def test_several_adapters_lie_over_the_weights_each_at_its_full_strength(tmp_path: Path) -> None:
    """As if what they add had been added to the weights before."""
    plain = make_tiny_llama(tmp_path / "plain.gguf")
    adapters = [make_tiny_adapter(tmp_path / f"{n}.gguf", seed=n) for n in (1, 2)]
    weights = tensors(plain)
    merged = {
        name: weights[name] + sum(added(tensors(adapter), name) for adapter in adapters)
        for name in weights
        if name.endswith("attn_output.weight")
    }
    assert len(merged) == 2
    whole = make_tiny_llama(tmp_path / "merged.gguf", more=merged)
    with opened(whole) as (engine, _):
        expected = engine.logits(TOKENS).copy()
    for chosen in ([], adapters[:1], adapters):
        with opened(plain, adapters=tuple(map(str, chosen))) as (engine, _):
            is_same = np.allclose(engine.logits(TOKENS), expected, atol=1e-4)
        assert is_same is (chosen == adapters)


def test_an_adapter_is_loaded_once_for_all_contexts(tmp_path: Path) -> None:
    adapter = make_tiny_adapter(tmp_path / "adapter.gguf")
    model = make_tiny_llama(tmp_path / "m.gguf")
    with opened(model, adapters=(str(adapter),), n_ctx=1024, n_parallel=2) as (engine, _):
        lines: list[str] = []
        LOG.attach(lambda level, line: lines.append(line))
        assert [engine.context.prepare() for _ in range(3)] == [True, True, False]
        assert any("KV buffer" in line for line in lines)
        assert not any("loading lora adapter" in line for line in lines)


def tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file of F32, rows first."""
    return {each.name: np.array(each.data) for each in GGUFReader(path).tensors}


def added(adapter: dict[str, np.ndarray], name: str) -> np.ndarray:
    """What an adapter of alpha 4 and rank 2 adds to a matrix."""
    return np.asarray(adapter[f"{name}.lora_b"] @ adapter[f"{name}.lora_a"] * (4 / 2))
