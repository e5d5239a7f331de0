"""What families do to weights, they do to the factors of an adapter: the product of the changed
factors is the changed product, whatever the base's file tells of its configuration.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from puna.convert.adapter_base import base_config, base_family
from puna.convert.config import Config
from puna.convert.factors import Factors
from puna.convert.families.registry import family_of
from puna.convert.keys import common_keys
from puna.convert.plan import Output, map_weights
from puna.convert.tensor import Tensor, made
from puna.errors import ConvertError
from puna.gguf.reader import Header
from tests.convert.parity.cases import CASES

RANK = 3

MODULES: dict[str, tuple[str, dict[str, tuple[int, int]]]] = {
    "Llama": ("llama", {"self_attn.q_proj": (64, 64), "self_attn.k_proj": (32, 64)}),
    "Qwen 2, as it is": ("qwen2", {"self_attn.k_proj": (32, 64), "mlp.up_proj": (96, 64)}),
    "Gemma": ("gemma", {"self_attn.q_proj": (64, 64), "mlp.down_proj": (64, 96)}),
    "Phi 3, fused": ("phi3", {"self_attn.qkv_proj": (128, 64), "mlp.gate_up_proj": (192, 64)}),
    "GLM 4.1 V, in halves": ("glm4v", {"self_attn.q_proj": (64, 64), "self_attn.k_proj": (32, 64)}),
    "GLM 4, which does not see": ("glm4", {"self_attn.q_proj": (64, 64)}),
    "Granite 4, heads of some layers": (
        "granite4",
        {"self_attn.k_proj": (32, 64), "shared_mlp.input_linear": (160, 64)},
    ),
    "Bamba, turned in part": ("bamba", {"self_attn.q_proj": (64, 64)}),
    "Qwen 3.5, values taking turns": (
        "qwen3.5",
        {"linear_attn.in_proj_qkv": (128, 64), "linear_attn.out_proj": (64, 64)},
    ),
    "Qwen 3 Next, four in one": ("qwen3-next", {"linear_attn.in_proj_qkvz": (192, 64)}),
    "Granite 4, attention alone": (
        "granite4, attention alone",
        {"self_attn.q_proj": (64, 64), "shared_mlp.input_linear": (160, 64)},
    ),
    "DeepSeek 3": ("deepseek3", {"self_attn.o_proj": (64, 64)}),
}
"""By a row of the table of models: modules of a layer, and the shapes of their weights."""

TRANSFORMERS: dict[str, tuple[str, dict[str, tuple[int, int]]]] = {
    "Falcon, groups": (
        "falcon, groups",
        {"transformer.h.0.self_attention.query_key_value": (128, 64)},
    ),
    "Falcon, one key": (
        "falcon, one key",
        {"transformer.h.0.self_attention.query_key_value": (96, 64)},
    ),
    "GPT-NeoX, head by head": (
        "gpt-neox",
        {"gpt_neox.layers.0.attention.query_key_value": (192, 64)},
    ),
    "BLOOM": ("bloom", {"transformer.h.0.self_attention.query_key_value": (192, 64)}),
    "Nemotron-H": ("nemotron-h", {"model.layers.2.mixer.q_proj": (64, 64)}),
    "GPT-2, turned": ("gpt2", {"transformer.h.0.attn.c_attn": (64, 192)}),
}
CALLS = {
    **{
        name: (row, {f"model.layers.0.{module}": shape for module, shape in modules.items()})
        for name, (row, modules) in MODULES.items()
    },
    **TRANSFORMERS,
}


def header_of(config: Config) -> Header:
    """What the file of a model with this configuration says."""
    family = family_of(config)
    family = family.final(config) or family
    keys = common_keys(config, family.n_blocks(config)) | dict(family.keys(config))
    said: dict[str, Any] = {"general.architecture": family.architecture}
    for key, value in keys.items():
        if value is not None:
            plain = tuple(value) if isinstance(value, list) else value
            said[f"{family.architecture}.{key}"] = plain
    return saying(said)


def saying(metadata: dict[str, Any]) -> Header:
    return Header(3, "little", metadata, tensors=(), data_offset=0, file_size=0)


def converted(config: Config, weights: dict[str, Tensor]) -> list[Output]:
    family = family_of(config)
    return map_weights(family.final(config) or family, config, weights, "F32")


def values(tensor: Tensor) -> NDArray[Any]:
    return np.asarray(tensor.load())


@pytest.mark.parametrize(("row", "modules"), CALLS.values(), ids=CALLS)
def test_factors_follow_what_is_done_to_weights(
    row: str, modules: dict[str, tuple[int, int]]
) -> None:
    case = CASES[row]
    config = Config(
        {**case.config, "model_type": case.model_type, "architectures": [case.architecture]}
    )
    header = header_of(config)
    random = np.random.default_rng(5)
    whole: dict[str, Tensor] = {}
    pairs: dict[str, Tensor] = {}
    for module, (n_out, n_in) in modules.items():
        a, b = random.normal(size=(RANK, n_in)), random.normal(size=(n_out, RANK))
        whole[f"{module}.weight"] = made(b @ a, module)
        pairs[f"{module}.weight"] = Factors.of(made(a, module), made(b, module))
    outputs = {
        output.name: output.tensor
        for output in converted(config, whole)
        if output.tensor.file != "config.json" or output.tensor.source in modules
    }
    mapped = map_weights(base_family(header), base_config(header), pairs, "F32")
    assert {output.name for output in mapped} <= outputs.keys()
    assert len(mapped) >= len(modules)
    for output in mapped:
        factors = output.tensor
        assert isinstance(factors, Factors)
        product = values(factors.b) @ values(factors.a)
        assert np.allclose(product, values(outputs[output.name]), atol=1e-5), output.name


def test_what_factors_cannot_follow_is_refused() -> None:
    a, b = made(np.ones((RANK, 8)), "a"), made(np.ones((8, RANK)), "b")
    product = Factors.of(a, b)
    refused = (
        lambda: product.times(2),
        lambda: product.reshaped(4, 16),
        lambda: product.reshaped(2, 4, 8).transposed(),
        lambda: product.joined([Factors.of(made(np.ones((RANK, 8)), "other"), b)]),
        lambda: product.joined([made(np.ones((8, 8)), "plain")]),
        lambda: product.load(),
    )
    for attempt in refused:
        with pytest.raises(ConvertError, match=r"adapter cannot follow|is never computed"):
            attempt()


def test_factors_in_the_weights_are_told() -> None:
    with pytest.raises(ConvertError, match="adapters of falcon-h1 cannot be converted"):
        base_family(saying({"general.architecture": "falcon-h1"}))


def test_of_families_with_one_architecture_the_one_that_turns_rows_is_taken() -> None:
    """Others only stand before a text model of any family."""
    for architecture, rotates in {"llama": True, "qwen2": False, "qwen3": False}.items():
        header = saying({"general.architecture": architecture, f"{architecture}.block_count": 2})
        assert base_family(header).unrotate == rotates


def test_an_adapter_of_a_model_without_its_head_names_layers_alone() -> None:
    header = saying({"general.architecture": "lfm2"})
    assert base_family(header, ["layers.0.conv.out_proj.weight"]).prefix == "model."
    assert not base_family(header, ["model.layers.0.conv.out_proj.weight"]).prefix
