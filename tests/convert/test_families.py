"""What configurations of families are taken, and which are refused with a word on why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from puna.convert.config import Config
from puna.convert.families.registry import family_of
from puna.convert.keys import common_keys
from puna.convert.names import LIKE, tensor_names
from puna.convert.tensor import Tensor, made
from puna.errors import BadCheckpoint, ConvertError

_SIZES = {
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "vocab_size": 320,
}
_ROUTED = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 48}
_SMALL = {
    "moe_num_primary_experts": 4,
    "moe_num_active_primary_experts": 2,
    "moe_ffn_hidden_size": 48,
}
_BASES = {
    "full_attention": {"rope_theta": 500000.0},
    "sliding_attention": {"rope_theta": 10000.0},
}


def _config(architecture: str, **changes: Any) -> Config:
    return Config({"architectures": [architecture], **_SIZES, **changes})


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            _config("LagunaForCausalLM", **_ROUTED, moe_router_logit_softcapping=30.0),
            "does not cap the router",
        ),
        (_config("AfmoeForCausalLM", **_ROUTED, sliding_window=8), "mup_enabled"),
        (
            _config(
                "MellumForCausalLM",
                **_ROUTED,
                sliding_window=8,
                layer_types=["full_attention", *["sliding_attention"] * 3],
                rope_parameters=_BASES,
            ),
            "by the same base",
        ),
        (
            _config("GraniteSWAForCausalLM", layer_rope_theta=[0.0, 5.0, 10000.0, 10000.0]),
            "by the same base",
        ),
        (
            _config("MiniCPM3ForCausalLM", scale_emb=11, q_lora_rank=8, kv_lora_rank=8),
            "12, which the engine has",
        ),
        (
            _config("Cohere2MoeForCausalLM", shared_expert_combination_strategy="sum"),
            "mean of shared and other experts",
        ),
        (_config("DeepseekForCausalLM", **_ROUTED, norm_topk_prob=True), "norm_topk_prob"),
        (
            _config(
                "DeciLMForCausalLM",
                block_configs=[{"attention": {"n_heads_in_group": 2}, "ffn": {}}] * 4,
            ),
            "passes over layers without a network",
        ),
        (
            _config("ModernBertForSequenceClassification", classifier_pooling="max"),
            "classifier_pooling",
        ),
        (
            _config("SmallThinkerForCausalLM", **_SMALL, sliding_window_layout=[0, 1, 1, 1]),
            "sliding_window_size",
        ),
        (
            _config("SmallThinkerForCausalLM", **_SMALL, rope_layout=[0, 1, 1, 1]),
            "rope_layout",
        ),
        (_config("ArcticForCausalLM", moe_layer_frequency=2), "moe_layer_frequency"),
        (_config("ChatGLMModel", post_layer_norm=False), "post_layer_norm"),
        (_config("OpenELMForCausalLM", head_dim=16, num_query_heads=[4]), "num_query_heads"),
    ],
    ids=lambda value: value.architecture if isinstance(value, Config) else "",
)
def test_what_the_engine_computes_otherwise_is_refused(config: Config, reason: str) -> None:
    family = family_of(config)
    with pytest.raises((ConvertError, BadCheckpoint), match=reason):
        family.keys(config)


@pytest.mark.parametrize(
    ("version", "architecture"),
    [(2.5, "llama"), (2.6, "qwen2"), ("4.0", "llama"), (4, "llama"), (4.5, "qwen3")],
)
def test_the_text_model_of_minicpm_v_goes_by_its_version(
    version: object, architecture: str
) -> None:
    config = _config("MiniCPMV", version=version)
    final = family_of(config).final(config)
    assert final
    assert final.architecture == architecture


def test_a_version_of_minicpm_v_that_is_not_known_is_refused() -> None:
    config = _config("MiniCPMV", version=1)
    with pytest.raises(BadCheckpoint, match=r"'version' is '1', not one of 2\.5"):
        family_of(config).final(config)


def test_hunyuans_stretching_is_another_base() -> None:
    rope = {"type": "dynamic", "alpha": 1000.0, "factor": 1.0}
    config = _config("HunYuanDenseV1ForCausalLM", rope_scaling=rope, rope_theta=10000.0)
    keys = common_keys(config, 4) | dict(family_of(config).keys(config))
    base = keys["rope.freq_base"]
    assert isinstance(base, float)
    assert base > 10_000_000
    assert "rope.scaling.type" not in keys
    del rope["alpha"]
    with pytest.raises(ConvertError, match="dynamic"):
        common_keys(_config("HunYuanDenseV1ForCausalLM", rope_scaling=rope), 4)


def test_layers_that_look_at_images_are_left_out_and_the_others_numbered() -> None:
    config = _config("MllamaForConditionalGeneration", cross_attention_layers=[1])
    family = family_of(config)
    weights: dict[str, Tensor] = {
        f"model.layers.{layer}.mlp.up_proj.weight": made(np.full((2, 2), layer), "a layer")
        for layer in range(4)
    }
    kept = family.join(config, weights)
    assert [tensor.load()[0, 0] for tensor in kept.values()] == [0, 2, 3]
    assert list(kept) == [f"model.layers.{number}.mlp.up_proj.weight" for number in range(3)]
    assert family.n_blocks(config) == 3
    with pytest.raises(BadCheckpoint, match="cross_attention_layers"):
        family.n_blocks(_config("MllamaForConditionalGeneration", cross_attention_layers=[9]))


@pytest.mark.parametrize("architecture", LIKE)
def test_an_architecture_that_the_table_lacks_has_names(architecture: str) -> None:
    names = tensor_names(architecture, 2)
    assert names("model.embed_tokens.weight") == "token_embd.weight"
    assert names("model.layers.1.self_attn.q_proj.weight") in ("blk.1.attn_q.weight", None)
    assert names("blk.1.exp_probs_b.bias") == "blk.1.exp_probs_b.bias"
    assert names("blk.2.attn_q.weight") is None
    assert names("something.else") is None
