"""How the kinds of layers of hybrids are told, in each of the ways that makers write them down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from puna.convert.config import Config
from puna.convert.families.registry import family_of
from puna.convert.tensor import made
from puna.errors import BadCheckpoint, ConvertError

_NEMOTRON = {
    "architectures": ["NemotronHForCausalLM"],
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "attention_head_dim": 16,
    "hidden_size": 64,
    "intermediate_size": 96,
    "mamba_num_heads": 8,
    "mamba_head_dim": 16,
    "ssm_state_size": 16,
}
_GRANITE = {
    "architectures": ["GraniteMoeHybridForCausalLM"],
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "shared_intermediate_size": 80,
    "mamba_n_heads": 8,
    "mamba_d_state": 16,
}


@pytest.mark.parametrize(
    "layers",
    [
        {"hybrid_override_pattern": "M-*-"},
        {"layers_block_type": ["mamba", "mlp", "attention", "mlp"]},
        {"layers_block_type": ["linear_attention", "mlp", "full_attention", "mlp"]},
    ],
)
def test_nemotron_h_says_what_each_layer_is(layers: dict[str, Any]) -> None:
    config = Config({**_NEMOTRON, **layers})
    family = family_of(config)
    keys = family.keys(config)
    assert family.n_blocks(config) == 4
    assert keys["attention.head_count_kv"] == [0, 0, 2, 0]
    assert keys["feed_forward_length"] == [0, 96, 0, 96]


def test_an_unknown_kind_of_layer_is_named() -> None:
    config = Config({**_NEMOTRON, "hybrid_override_pattern": "MX"})
    with pytest.raises(BadCheckpoint, match=r"layers_block_type.*X"):
        family_of(config).n_blocks(config)


@pytest.mark.parametrize(
    ("kinds", "changes", "architecture"),
    [
        (["mamba", "attention", "mamba"], {}, None),
        (["attention"] * 3, {}, "granite"),
        (["attention"] * 3, {"num_local_experts": 4}, "granitemoe"),
    ],
)
def test_granite_4_without_a_state_is_granite(
    kinds: list[str], changes: dict[str, Any], architecture: str | None
) -> None:
    config = Config({**_GRANITE, **changes, "layer_types": kinds})
    final = family_of(config).final(config)
    assert (final.architecture if final else None) == architecture


def test_a_state_of_another_width_is_refused() -> None:
    config = Config({**_GRANITE, "layer_types": ["mamba"] * 3, "mamba_expand": 3})
    with pytest.raises(ConvertError, match="mamba_expand' is 3; the engine knows 2 alone"):
        family_of(config).keys(config)


def test_factors_of_a_tied_head_and_of_the_embedding_stay_apart() -> None:
    config = Config(
        {
            "architectures": ["FalconH1ForCausalLM"],
            "tie_word_embeddings": True,
            "embedding_multiplier": 2.0,
            "lm_head_multiplier": 0.5,
            "mamba_n_groups": 1,
        }
    )
    embedding = made(np.ones((4, 2)), "embed")
    written = dict(family_of(config).weights(config, "model.embed_tokens.weight", embedding))
    assert {name: float(tensor.load()[0, 0]) for name, tensor in written.items()} == {
        "model.embed_tokens.weight": 2.0,
        "output.weight": 0.5,
    }
