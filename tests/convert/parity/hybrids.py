"""Tiny models whose layers differ: state spaces beside attention, experts beside plain networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.convert.parity.case import Case, case

__all__ = ["HYBRIDS"]

_MAMBA2: Mapping[str, Any] = {
    "mamba_n_heads": 8,
    "mamba_n_groups": 2,
    "mamba_d_state": 16,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_chunk_size": 16,
}
_GRANITE: Mapping[str, Any] = {
    **_MAMBA2,
    "num_hidden_layers": 4,
    "layer_types": ["linear_attention", "linear_attention", "full_attention", "linear_attention"],
    "attention_multiplier": 0.2,
    "embedding_multiplier": 1.5,
    "residual_multiplier": 0.5,
    "logits_scaling": 2.0,
    "shared_intermediate_size": 80,
}
_NEMOTRON: Mapping[str, Any] = {
    "num_hidden_layers": 5,
    "head_dim": 32,
    "mamba_num_heads": 8,
    "mamba_head_dim": 16,
    "ssm_state_size": 16,
    "n_groups": 2,
    "chunk_size": 16,
    "time_step_min": 1e-9,  # the engine has no least step, which is 0.001 in the original
}

HYBRIDS: Mapping[str, Case] = {
    "granite4": case(
        "granitemoehybrid", "GraniteMoeHybridForCausalLM", **_GRANITE, num_local_experts=0
    ),
    "granite4 with experts": case(
        "granitemoehybrid",
        "GraniteMoeHybridForCausalLM",
        **_GRANITE,
        num_local_experts=4,
        num_experts_per_tok=2,
    ),
    "granite4, attention alone": case(
        "granitemoehybrid",
        "GraniteMoeHybridForCausalLM",
        **{**_GRANITE, "layer_types": ["full_attention"] * 4},
        num_local_experts=0,
        position_embedding_type="rope",
    ),
    "bamba": case(
        "bamba", "BambaForCausalLM", **_MAMBA2, num_hidden_layers=4, attn_layer_indices=[2]
    ),
    "falcon-h1": case(
        "falcon_h1",
        "FalconH1ForCausalLM",
        **_MAMBA2,
        head_dim=32,
        mamba_d_ssm=96,
        mamba_d_head=12,
        attention_in_multiplier=1.1,
        attention_out_multiplier=0.7,
        key_multiplier=0.6,
        ssm_in_multiplier=1.3,
        ssm_out_multiplier=0.8,
        ssm_multipliers=[0.9, 0.8, 1.2, 0.7, 1.1],
        mlp_multipliers=[0.9, 0.6],
        embedding_multiplier=2.0,
        lm_head_multiplier=0.5,
    ),
    "jamba": case(
        "jamba",
        "JambaForCausalLM",
        num_hidden_layers=4,
        num_experts=4,
        num_experts_per_tok=2,
        attn_layer_period=3,
        attn_layer_offset=1,
        expert_layer_period=2,
        expert_layer_offset=1,
        use_mamba_kernels=False,
    ),
    "nemotron-h": case(
        "nemotron_h",
        "NemotronHForCausalLM",
        **_NEMOTRON,
        layers_block_type=["linear_attention", "mlp", "full_attention", "mlp", "linear_attention"],
    ),
    "nemotron-h with experts": case(
        "nemotron_h",
        "NemotronHForCausalLM",
        **_NEMOTRON,
        layers_block_type=["linear_attention", "moe", "full_attention", "moe", "linear_attention"],
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=48,
        moe_shared_expert_intermediate_size=80,
        routed_scaling_factor=2.5,
    ),
}
