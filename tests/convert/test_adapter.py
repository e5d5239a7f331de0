"""Adapters over a converted model compute what merged weights compute, in the real engine."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from puna.convert.check import logits_of
from puna.convert.conversion import Conversion, Said, convert
from puna.errors import ConvertError
from tests.fakes.checkpoints import llama_weights, make_checkpoint, write_safetensors

TOKENS = list(range(10, 30))
RANK, ALPHA = 4, 8.0
SHAPES = {
    "self_attn.q_proj": (32, 32),
    "self_attn.k_proj": (16, 32),
    "self_attn.v_proj": (16, 32),
    "mlp.down_proj": (32, 48),
}


def run(kind: Any, source: Path, target: Path, base: Path | None = None) -> list[Said]:
    """Convert as F32; everything the child said."""

    async def work() -> list[Said]:
        order = Conversion(kind, source, target, "F32", base)
        async with aclosing(convert(order)) as steps:
            return [said async for said in steps]

    return asyncio.run(work())


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The converted model that adapters belong to."""
    folder = tmp_path_factory.mktemp("base")
    run("model", make_checkpoint(folder / "hf"), folder / "base.gguf")
    return folder / "base.gguf"


def factors(rank: int = RANK) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Random A and B of some modules of both layers."""
    random = np.random.default_rng(7)
    made = {}
    for layer in range(2):
        for name, (n_out, n_in) in SHAPES.items():
            a = random.normal(size=(rank, n_in)) * 0.3
            b = random.normal(size=(n_out, rank)) * 0.3
            made[f"model.layers.{layer}.{name}"] = (a.astype(np.float32), b.astype(np.float32))
    return made


def write_adapter(folder: Path, *, mlx: bool = False, rank: int = RANK, **config: Any) -> Path:
    """An adapter's folder, as PEFT writes it or as MLX does."""
    folder.mkdir()
    tensors: dict[str, NDArray[Any]] = {}
    for module, (a, b) in factors(rank).items():
        if mlx:
            tensors[f"{module}.lora_a"] = np.ascontiguousarray(a.T)
            tensors[f"{module}.lora_b"] = np.ascontiguousarray(b.T)
        else:
            tensors[f"base_model.model.{module}.lora_A.weight"] = a
            tensors[f"base_model.model.{module}.lora_B.weight"] = b
    name = "adapters.safetensors" if mlx else "adapter_model.safetensors"
    write_safetensors(folder / name, tensors)
    settings = {} if mlx else {"r": rank, "lora_alpha": ALPHA}
    (folder / "adapter_config.json").write_text(json.dumps(settings | config))
    return folder


def merged(folder: Path, strengths: dict[str, float]) -> Path:
    """The model with the products added to its weights, module by module."""
    weights = llama_weights()
    for module, (a, b) in factors().items():
        strength = next(s for name, s in strengths.items() if module.endswith(name))
        weights[f"{module}.weight"] = weights[f"{module}.weight"] + np.float32(strength) * (b @ a)
    run("model", make_checkpoint(folder / "merged", weights), folder / "merged.gguf")
    return folder / "merged.gguf"


KINDS: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "PEFT": ({}, {"": ALPHA / RANK}),
    "strength by the root of the rank": ({"use_rslora": True}, {"": ALPHA / RANK**0.5}),
    "an alpha of its own": (
        {"alpha_pattern": {"q_proj": 32}},
        {"q_proj": 32 / RANK, "": ALPHA / RANK},
    ),
    "MLX": ({"mlx": True, "lora_parameters": {"rank": RANK, "scale": 3.0}}, {"": 3.0}),
}


@pytest.mark.parametrize(("config", "strengths"), KINDS.values(), ids=KINDS)
def test_an_adapter_computes_what_merged_weights_do(
    base: Path, tmp_path: Path, config: dict[str, Any], strengths: dict[str, float]
) -> None:
    target = tmp_path / "adapter.gguf"
    said = run("adapter", write_adapter(tmp_path / "adapter", **config), target, base)
    (written,) = said[-1].written
    assert (written.role, written.architecture) == ("adapter", "llama")
    plain, wanted = logits_of(base, TOKENS), logits_of(merged(tmp_path, strengths), TOKENS)
    got = logits_of(base, TOKENS, target)
    assert np.abs(wanted - plain).max() > 1
    assert np.abs(got - wanted).max() < 1e-3 * np.abs(wanted).max()


def test_what_an_adapter_cannot_be_is_named(base: Path, tmp_path: Path) -> None:
    target = tmp_path / "adapter.gguf"
    with pytest.raises(ConvertError, match="DoRA"):
        run("adapter", write_adapter(tmp_path / "dora", use_dora=True), target, base)
    with pytest.raises(ConvertError, match="needs the model"):
        run("adapter", write_adapter(tmp_path / "alone"), target)
    folder = write_adapter(tmp_path / "half")
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    write_safetensors(folder / "adapter_model.safetensors", {name: np.ones((4, 32), np.float32)})
    with pytest.raises(ConvertError, match=r"q_proj\.lora_B\.weight\": is missing"):
        run("adapter", folder, target, base)
    tensors = {
        name: np.ones((4, 48), np.float32),
        name.replace("_A", "_B"): np.ones((32, 4), np.float32),
    }
    write_safetensors(folder / "adapter_model.safetensors", tensors)
    with pytest.raises(ConvertError, match=r"is for a weight of \[32, 48\], the model's is"):
        run("adapter", folder, target, base)
    write_safetensors(
        folder / "adapter_model.safetensors",
        {"base_model.model.lm_head.weight": np.ones((280, 32), np.float32)},
    )
    with pytest.raises(ConvertError, match="no factor of an adapter"):
        run("adapter", folder, target, base)
    assert not target.exists()
