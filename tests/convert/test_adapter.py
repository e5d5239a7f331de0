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

from puna.convert.adapter import convert_adapter
from puna.convert.check import logits_of
from puna.convert.conversion import Conversion, Said, convert
from puna.errors import ConvertError
from tests.fakes.checkpoints import llama_weights, make_checkpoint, write_safetensors
from tests.fakes.monoliths import read_gguf, write_copy

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


def test_an_adapter_fits_a_model_whose_encoder_is_in_the_file(base: Path, tmp_path: Path) -> None:
    keys, weights = read_gguf(base)
    eye = {"v.blk.0.attn_q.weight": np.zeros((4, 4), np.float32)}
    whole = write_copy(tmp_path / "whole.gguf", keys, weights | eye)
    folder = write_adapter(tmp_path / "adapter")
    for path in (base, whole):
        run("adapter", folder, tmp_path / f"of-{path.name}", path)
    of_base, of_whole = (tmp_path / f"of-{path.name}" for path in (base, whole))
    assert of_whole.read_bytes() == of_base.read_bytes()
    assert not [each for each in tmp_path.iterdir() if each.suffix == ".outline"]


def test_layers_whose_weights_are_the_other_way_round(base: Path, tmp_path: Path) -> None:
    """What is added to them is the transposed product."""
    module, strength = "model.layers.0.self_attn.q_proj", np.float32(ALPHA / RANK)
    a, b = factors()[module]
    name = f"base_model.model.{module}.lora_{{}}.weight"
    folder = write_adapter(tmp_path / "adapter", fan_in_fan_out=True)
    tensors = {name.format("A"): a, name.format("B"): b}
    write_safetensors(folder / "adapter_model.safetensors", tensors)
    run("adapter", folder, tmp_path / "adapter.gguf", base)
    weights = llama_weights()
    weights[f"{module}.weight"] = weights[f"{module}.weight"] + strength * (b @ a).T
    run("model", make_checkpoint(tmp_path / "merged", weights), tmp_path / "merged.gguf")
    wanted = logits_of(tmp_path / "merged.gguf", TOKENS)
    got = logits_of(base, TOKENS, tmp_path / "adapter.gguf")
    assert np.abs(got - wanted).max() < 1e-3 * np.abs(wanted).max()


Q_PROJ = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"
AT_Q_PROJ = (
    r'adapter_model\.safetensors: tensor "base_model\.model\.model\.layers\.0\.self_attn\.q_proj\.'
)


def pair(n_in: int = 32, n_out: int = 32, name: str = Q_PROJ) -> dict[str, NDArray[Any]]:
    return {
        name.format("A"): np.ones((RANK, n_in), np.float32),
        name.format("B"): np.ones((n_out, RANK), np.float32),
    }


def with_nan() -> dict[str, NDArray[Any]]:
    tensors = pair()
    tensors[Q_PROJ.format("B")][3, 3] = np.nan
    return tensors


REFUSED: dict[str, tuple[dict[str, Any], dict[str, NDArray[Any]] | None, str]] = {
    "changes of length": ({"use_dora": True}, None, "DoRA adapters cannot be converted"),
    "no rank": ({"r": 0}, None, r"adapter_config\.json: 'r' is missing"),
    "a rank that is text": ({"r": "four"}, None, r"'r' is 'four', not a whole number"),
    "half of a pair": (
        {},
        {Q_PROJ.format("A"): np.ones((RANK, 32), np.float32)},
        AT_Q_PROJ.replace("base_model\\.model\\.", "") + r"lora_B\.weight\": is missing",
    ),
    "another model's width": (
        {},
        pair(n_in=48),
        AT_Q_PROJ + r".*is for a weight of \[32, 48\], the model's is \[32, 32\]",
    ),
    "ranks that differ": (
        {},
        pair() | {Q_PROJ.format("B"): np.ones((32, RANK + 1), np.float32)},
        AT_Q_PROJ + r".*shape \[32, 5\] does not go together with \[4, 32\]",
    ),
    "a layer that the model does not have": (
        {},
        pair(name=Q_PROJ.replace("layers.0", "layers.7")),
        r"layers\.7\.self_attn\.q_proj.*llama has no place for",
    ),
    "another architecture's module": (
        {},
        pair(name=Q_PROJ.replace("self_attn.q_proj", "mixer.in_proj")),
        r"mixer\.in_proj.*llama has no place for",
    ),
    "a whole matrix": (
        {},
        {"base_model.model.lm_head.weight": np.ones((280, 32), np.float32)},
        r"lm_head\.weight\": is no factor of an adapter",
    ),
    "three dimensions": (
        {},
        {Q_PROJ.format("A"): np.ones((2, RANK, 32), np.float32)},
        AT_Q_PROJ + "lora_A.*not two dimensions",
    ),
    "no number": ({}, with_nan(), AT_Q_PROJ + "lora_B.*holds a NaN"),
}


@pytest.mark.parametrize(("config", "tensors", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_an_adapter_cannot_be_is_named(
    base: Path,
    tmp_path: Path,
    config: dict[str, Any],
    tensors: dict[str, NDArray[Any]] | None,
    problem: str,
) -> None:
    folder = write_adapter(tmp_path / "adapter", **config)
    if tensors is not None:
        write_safetensors(folder / "adapter_model.safetensors", tensors)
    target = tmp_path / "adapter.gguf"
    with pytest.raises(ConvertError, match=problem):
        convert_adapter(folder, base, target, lambda _done, _total: None)
    assert not target.exists()


def test_an_adapter_needs_its_model(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="needs the model that it belongs to"):
        run("adapter", write_adapter(tmp_path / "alone"), tmp_path / "adapter.gguf")
