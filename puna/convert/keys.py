"""The metadata that all families have in common, and how positions are stretched.

Facts: conversion spec, sections 3.1, 6.2, 6.7 and 11.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import numpy as np

from puna.convert.config import Config
from puna.convert.family import Keys, Named, Value
from puna.convert.tensor import made
from puna.errors import ConvertError

__all__ = [
    "common_keys",
    "gating",
    "latent_keys",
    "llama3_factors",
    "local_base",
    "moe_keys",
    "n_leading_dense",
    "no_rope",
    "window_pattern",
]

GATING = {"softmax": 1, "sigmoid": 2, "sqrtsoftplus": 4}


def common_keys(config: Config, n_blocks: int) -> dict[str, Value | None]:
    """What most architectures need, as far as the configuration says it."""
    keys: dict[str, Value | None] = {
        "context_length": config.whole("context", 0) or None,
        "embedding_length": config.whole("width"),
        "block_count": n_blocks,
        "attention.head_count": config.n_heads if config.has("n_heads") else None,
        "vocab_size": config.whole("vocab", 0) or None,
    }
    if isinstance(config.get("ffn"), int):
        keys["feed_forward_length"] = config.whole("ffn")
    if config.has("n_heads"):
        keys |= {
            "attention.head_count_kv": config.n_kv_heads,
            "rope.dimension_count": config.rotary_size,
            "rope.freq_base": config.rope_base,
        }
    if config.has("head_dim"):
        keys["attention.key_length"] = keys["attention.value_length"] = config.head_size
    if config.has("rms_eps"):
        keys["attention.layer_norm_rms_epsilon"] = config.positive("rms_eps")
    if config.has("norm_eps"):
        keys["attention.layer_norm_epsilon"] = config.positive("norm_eps")
    if config.whole("n_experts", 0):
        keys["expert_count"] = config.whole("n_experts")
        if isinstance(config.get("n_experts_used"), int):
            keys["expert_used_count"] = config.whole("n_experts_used")
    return keys | dict(_scaling(config))


def _scaling(config: Config) -> Keys:
    rope = config.rope
    kind = rope.text_of("rope_type", rope.text_of("type", "default")).lower()
    if kind in ("default", "llama3", "mrope", "longrope", "su", "proportional"):
        return {}
    if kind in ("dynamic", "xdrope") and rope.has("alpha"):
        return {}  # another base in truth
    if kind == "linear":
        return {"rope.scaling.type": "linear", "rope.scaling.factor": rope.real("factor")}
    if kind == "yarn":
        keys: dict[str, Value | None] = {
            "rope.scaling.type": "yarn",
            "rope.scaling.factor": rope.real("factor"),
            "rope.scaling.original_context_length": rope.whole(
                "original_max_position_embeddings", config.whole("context")
            ),
        }
        for ours, theirs in {
            "yarn_ext_factor": "extrapolation_factor",
            "yarn_attn_factor": "attention_factor",
            "yarn_beta_fast": "beta_fast",
            "yarn_beta_slow": "beta_slow",
        }.items():
            if rope.has(theirs):
                keys[f"rope.scaling.{ours}"] = rope.real(theirs)
        return keys
    raise ConvertError(f"config.json: rope type {kind[:40]!r} is not supported")


def llama3_factors(config: Config, _names: Collection[str]) -> Iterable[Named]:
    """The stretching of Llama 3.1: by wavelength, as a tensor."""
    rope = config.rope
    if rope.text_of("rope_type", rope.text_of("type")).lower() != "llama3":
        return
    factor, low = rope.positive("factor", 8.0), rope.positive("low_freq_factor", 1.0)
    high = rope.positive("high_freq_factor", 4.0)
    context = rope.positive("original_max_position_embeddings", 8192.0)
    size = config.head_size
    wavelengths = 2 * math.pi * config.rope_base ** (np.arange(0, size, 2) / size)
    smooth = (context / wavelengths - low) / max(high - low, 1e-9)
    between = 1 / np.maximum((1 - smooth) / factor + smooth, 1e-9)
    values = np.where(
        wavelengths < context / high, 1.0, np.where(wavelengths > context / low, factor, between)
    )
    yield "rope_freqs.weight", made(values, "rope_scaling")


def window_pattern(config: Config, every: int) -> list[bool]:
    """Which layers look back over a window only: as listed, or all but each `every`-th."""
    kinds = config.items("layer_types")
    if kinds:
        return [kind == "sliding_attention" for kind in kinds]
    return [every > 0 and (layer + 1) % every != 0 for layer in range(config.n_layers)]


def n_leading_dense(config: Config) -> int:
    """How many layers from the first have no experts, by their kinds; none of the others may."""
    kinds = list(config.items("mlp_layer_types"))
    n_dense = kinds.index("sparse") if "sparse" in kinds else len(kinds)
    if "dense" in kinds[n_dense:]:
        raise config.bad("mlp_layer_types", kinds, "dense layers before all others")
    return n_dense


def local_base(config: Config) -> float:
    """The base by which layers rotate that look back over a window; that of all others if nothing
    is said.
    """
    local = config.part("rope_parameters").part("sliding_attention")
    return local.real("rope_theta", config.real("rope_base_local", config.rope_base))


def no_rope() -> Keys:
    """For architectures whose positions are not rotated."""
    return {"rope.freq_base": None, "rope.dimension_count": None}


def gating(config: Config, default: str) -> int:
    """The number of the function that makes an expert's weight of its score."""
    for key in ("score_function", "scoring_func", "score_func", "moe_router_activation_func"):
        if config.has(key):
            default = config.text_of(key)
    if default not in GATING:
        raise ConvertError(f"config.json: the router's function {default[:40]!r} is not supported")
    return GATING[default]


def latent_keys(config: Config, rank: int) -> dict[str, Value | None]:
    """Of attention whose keys and values come out of one small vector, of `rank` values."""
    rotated = config.whole("qk_rope_head_dim")
    return {
        "attention.q_lora_rank": config.whole("q_lora_rank", 0) or None,
        "attention.kv_lora_rank": rank,
        "attention.key_length": rank + rotated,
        "attention.value_length": rank,
        "attention.key_length_mla": config.whole("qk_nope_head_dim") + rotated,
        "attention.value_length_mla": config.whole("v_head_dim"),
        "rope.dimension_count": rotated,
    }


def moe_keys(config: Config) -> Keys:
    """What architectures with experts have in common, as far as the configuration says it."""
    names = {
        "expert_feed_forward_length": "expert_ffn",
        "expert_shared_count": "n_experts_shared",
        "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
        "leading_dense_block_count": "n_dense_layers",
        "expert_group_count": "n_group",
        "expert_group_used_count": "topk_group",
    }
    keys: dict[str, Value | None] = {
        ours: config.whole(theirs) for ours, theirs in names.items() if config.has(theirs)
    }
    if config.has("routed_scaling_factor"):
        keys["expert_weights_scale"] = config.real("routed_scaling_factor")
    if config.has("norm_topk_prob"):
        keys["expert_weights_norm"] = config.flag("norm_topk_prob")
    return keys
