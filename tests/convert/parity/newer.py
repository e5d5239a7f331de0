"""Tiny models of makers who came later, most of them with experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.convert.parity.case import MLA, WINDOW, Case, case

__all__ = ["NEWER"]

_FOUR = ["full_attention", *["sliding_attention"] * 3]
_WIDTHS: Mapping[str, Any] = {"num_experts_per_tok": 2, "moe_intermediate_size": 48}
_EXPERTS: Mapping[str, Any] = {"num_experts": 4, **_WIDTHS}
_SHARED: Mapping[str, Any] = {
    "n_routed_experts": 4,
    **_WIDTHS,
    "n_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
}
_GRANITE: Mapping[str, Any] = {
    "attention_multiplier": 0.2,
    "embedding_multiplier": 1.5,
    "residual_multiplier": 0.5,
    "logits_scaling": 2.0,
    "num_hidden_layers": 4,
    "sliding_window": WINDOW,
    "layer_types": _FOUR,
}
_MLA: Mapping[str, Any] = {
    **_SHARED,
    **MLA,
    "first_k_dense_replace": 1,
}
_YARN: Mapping[str, float] = {"factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0}
_INDEX: Mapping[str, Any] = {"index_topk": 24, "index_head_dim": 128, "index_n_heads": 16}


def _rope(theta: float, kind: str = "default", **rest: float) -> dict[str, Any]:
    return {"rope_type": kind, "rope_theta": theta, **rest}


NEWER: Mapping[str, Case] = {
    "laguna": case(
        "laguna",
        "LagunaForCausalLM",
        num_hidden_layers=5,
        head_dim=16,
        num_attention_heads_per_layer=[4, 8, 8, 8, 4],
        gating="per-head",
        sliding_window=WINDOW,
        layer_types=["full_attention", *["sliding_attention"] * 3, "full_attention"],
        mlp_layer_types=["dense", *["sparse"] * 4],
        **_EXPERTS,
        shared_expert_intermediate_size=80,
        moe_routed_scaling_factor=2.5,
        rope_parameters={
            "full_attention": _rope(500000.0, partial_rotary_factor=0.5),
            "sliding_attention": _rope(10000.0),
        },
    ),
    "afmoe": case(
        "afmoe",
        "AfmoeForCausalLM",
        num_hidden_layers=5,
        head_dim=16,
        mup_enabled=True,
        sliding_window=WINDOW,
        num_dense_layers=1,
        **_EXPERTS,
        num_shared_experts=2,
        route_scale=2.5,
    ),
    "solar-open": case("solar_open", "SolarOpenForCausalLM", head_dim=16, **_SHARED),
    "mellum": case(
        "mellum",
        "MellumForCausalLM",
        num_hidden_layers=4,
        head_dim=16,
        sliding_window=WINDOW,
        layer_types=_FOUR,
        **_EXPERTS,
        rope_parameters={
            "full_attention": _rope(10000.0, "yarn", **_YARN, original_max_position_embeddings=64),
            "sliding_attention": _rope(10000.0),
        },
    ),
    "granite-swa": case(
        "granite_swa",
        "GraniteSWAForCausalLM",
        **_GRANITE,
        layer_rope_theta=[0.0, 10000.0, 10000.0, 10000.0],
    ),
    "granite-swa with experts": case(
        "granitemoe_swa",
        "GraniteMoeSWAForCausalLM",
        **_GRANITE,
        num_local_experts=4,
        num_experts_per_tok=2,
        shared_intermediate_size=80,
    ),
    "minicpm3": case(
        "minicpm3",
        "MiniCPM3ForCausalLM",
        num_key_value_heads=4,
        q_lora_rank=32,
        kv_lora_rank=64,
        qk_nope_head_dim=16,
        qk_rope_head_dim=8,
    ),
    "cohere2-moe": case(
        "cohere2_moe",
        "Cohere2MoeForCausalLM",
        logit_scale=0.25,
        tie_word_embeddings=True,
        num_hidden_layers=5,
        head_dim=16,
        sliding_window=WINDOW,
        first_k_dense_replace=1,
        prefix_dense_intermediate_size=112,
        num_experts=4,
        num_experts_per_tok=2,
        num_shared_experts=1,
        expert_selection_fn="sigmoid",
    ),
    "apertus": case(
        "apertus",
        "ApertusForCausalLM",
        rope_parameters=_rope(
            12000000.0,
            "llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=32,
        ),
    ),
    "deepseek3.2": case("deepseek_v32", "DeepseekV32ForCausalLM", **_MLA, **_INDEX),
    "glm-dsa": case(
        "glm_moe_dsa",
        "GlmMoeDsaForCausalLM",
        **_MLA,
        **_INDEX,
        indexer_types=["full", "shared", "full"],
    ),
    "mistral4": case(
        "mistral4",
        "Mistral4ForCausalLM",
        **_MLA,
        rope_parameters=_rope(
            10000.0,
            "yarn",
            **_YARN,
            mscale=1.0,
            mscale_all_dim=1.0,
            original_max_position_embeddings=32,
            llama_4_scaling_beta=0.1,
        ),
    ),
    "hunyuan3": case(
        "hy_v3",
        "HYV3ForCausalLM",
        head_dim=16,
        **_EXPERTS,
        num_shared_experts=1,
    ),
    "mimo2": case(
        "mimo_v2_flash",
        "MiMoV2FlashForCausalLM",
        num_hidden_layers=4,
        head_dim=24,
        v_head_dim=16,
        sliding_window=WINDOW,
        n_routed_experts=4,
        **_WIDTHS,
        rope_parameters={
            "full_attention": _rope(5000000.0, partial_rotary_factor=0.334),
            "sliding_attention": _rope(10000.0, partial_rotary_factor=0.334),
        },
    ),
    "kimi-linear": case(
        "kimi_linear",
        "KimiLinearForCausalLM",
        **{**_MLA, "q_lora_rank": None},
        num_hidden_layers=4,
        num_local_experts=4,
        linear_head_dim=16,
        linear_num_heads=4,
        layer_types=[*["linear_attention"] * 3, "full_attention"],
    ),
}
