"""Decoders that transformers has no class for, computed here after their makers' descriptions:
DeepSeek 1, Ling 1, PLaMo, DeciLM. Runs where torch is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import Tensor

from tests.convert.parity.layers import (
    Original,
    Settings,
    Shapes,
    Weights,
    attended,
    attention,
    gated,
    gated_shapes,
    llama_shapes,
    mixed,
    norm,
    through,
    turned,
)

__all__ = ["DECODERS"]


def _moe_shapes(config: Settings, gate: str = "gate") -> Shapes:
    width, inner = config["hidden_size"], config["moe_intermediate_size"]
    shapes = llama_shapes(config)
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}.mlp"
        if layer < config["first_k_dense_replace"]:
            shapes |= gated_shapes(stem, width, config["intermediate_size"])
            continue
        shapes[f"{stem}.gate.weight"] = (config["n_routed_experts"], width)
        shared = inner * config["n_shared_experts"]
        shapes |= gated_shapes(f"{stem}.shared_experts", width, shared)
        for expert in range(config["n_routed_experts"]):
            shapes |= gated_shapes(f"{stem}.experts.{expert}", width, inner)
    return shapes


def _moe(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Llama with experts, by softmax, and some that all tokens get."""
    x = weights["model.embed_tokens.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        h = norm(weights, f"{stem}.input_layernorm", x)
        x = x + attention(config, weights, f"{stem}.self_attn", h)
        h = norm(weights, f"{stem}.post_attention_layernorm", x)
        if layer < config["first_k_dense_replace"]:
            x = x + gated(weights, f"{stem}.mlp", h)
            continue
        shares = through(weights, f"{stem}.mlp.gate", h).softmax(-1)
        one = partial(lambda stem, h, n: gated(weights, f"{stem}.mlp.experts.{n}", h), stem, h)
        used, normed = config["num_experts_per_tok"], config["norm_topk_prob"]
        x = x + mixed(shares, used, normed, one) + gated(weights, f"{stem}.mlp.shared_experts", h)
    return through(weights, "lm_head", norm(weights, "model.norm", x))


_LING = {
    "model.embed_tokens": "model.word_embeddings",
    "self_attn.o_proj": "attention.dense",
    "self_attn.qkv": "attention.query_key_value",
}


def _ling_names(name: str) -> str:
    for ours, theirs in _LING.items():
        name = name.replace(ours, theirs)
    return name


def _ling_shapes(config: Settings) -> Shapes:
    """Its queries, keys and values stand in one tensor."""
    shapes: Shapes = {}
    for name, shape in _moe_shapes(
        {
            **config,
            "n_shared_experts": config["num_shared_experts"],
            "n_routed_experts": config["num_experts"],
        }
    ).items():
        if ".k_proj." in name or ".v_proj." in name:
            continue
        if ".q_proj." in name:
            size = shape[0] // config["num_attention_heads"]
            name, shape = (
                name.replace("q_proj", "qkv"),
                (shape[0] + 2 * size * config["num_key_value_heads"], shape[1]),
            )
        shapes[_ling_names(name)] = shape
    return shapes


def _ling(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    own = {
        **config,
        "n_shared_experts": config["num_shared_experts"],
        "n_routed_experts": config["num_experts"],
    }
    plain: dict[str, Any] = {}
    for name in _moe_shapes(own):
        if ".q_proj." not in name:
            plain.setdefault(name, weights.get(_ling_names(name)))
            continue
        joined = weights[_ling_names(name.replace("q_proj", "qkv"))]
        size = joined.shape[0] // (
            config["num_attention_heads"] + 2 * config["num_key_value_heads"]
        )
        rows = [
            size * n for n in (config["num_attention_heads"], *[config["num_key_value_heads"]] * 2)
        ]
        for part, values in zip("qkv", joined.split(rows), strict=True):
            plain[name.replace("q_proj", f"{part}_proj")] = values
    return _moe(own, plain, tokens)


def _plamo_shapes(config: Settings) -> Shapes:
    width = config["hidden_size"]
    shapes: Shapes = {}
    for name, shape in llama_shapes(config, layers="model.layers.layers").items():
        if "post_attention" not in name:
            shapes[name.replace("input_layernorm", "norm")] = shape
    for layer in range(config["num_hidden_layers"]):
        shapes |= gated_shapes(
            f"model.layers.layers.{layer}.mlp", width, config["intermediate_size"]
        )
    return shapes


def _plamo(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Attention and network side by side; keys take turns among the queries."""
    x = weights["model.embed_tokens.weight"][tokens]
    n_heads, n_kv = config["num_attention_heads"], config["num_key_value_heads"]
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.layers.{layer}"
        h = norm(weights, f"{stem}.norm", x)
        query, key, value = (
            through(weights, f"{stem}.self_attn.{part}_proj", h).view(len(tokens), n, -1)
            for part, n in (("q", n_heads), ("k", n_kv), ("v", n_kv))
        )
        each = n_heads // n_kv
        key, value = turned(key).repeat(1, each, 1), value.repeat(1, each, 1)
        seen = through(weights, f"{stem}.self_attn.o_proj", attended(turned(query), key, value))
        x = x + seen + gated(weights, f"{stem}.mlp", h)
    return through(weights, "lm_head", norm(weights, "model.norm", x))


def _deci_blocks(config: Settings) -> list[tuple[int, bool, int]]:
    """Of each layer: its key heads, whether a matrix stands for them, its inner width."""
    found = []
    for block in config["block_configs"]:
        share, mult = block["attention"]["n_heads_in_group"], block["ffn"]["ffn_mult"]
        n_kv = config["num_attention_heads"] // share if share else 0
        part = int(2 * (mult or 0.0) * config["hidden_size"] / 3)
        found.append((n_kv, block["attention"]["replace_with_linear"], -(-part // 256) * 256))
    return found


def _deci_shapes(config: Settings) -> Shapes:
    width = config["hidden_size"]
    size = width // config["num_attention_heads"]
    shapes = llama_shapes({**config, "num_hidden_layers": 0})
    for layer, (n_kv, straight, inner) in enumerate(_deci_blocks(config)):
        stem = f"model.layers.{layer}"
        if n_kv:
            shapes |= dict.fromkeys(
                (f"{stem}.self_attn.{part}_proj.weight" for part in "qo"), (width, width)
            )
            shapes |= dict.fromkeys(
                (f"{stem}.self_attn.{part}_proj.weight" for part in "kv"), (n_kv * size, width)
            )
        if straight:
            shapes[f"{stem}.self_attn.linear_attn.weight"] = (width, width)
        if n_kv or straight:
            shapes[f"{stem}.input_layernorm.weight"] = (width,)
        if inner:
            shapes[f"{stem}.post_attention_layernorm.weight"] = (width,)
            shapes |= gated_shapes(f"{stem}.mlp", width, inner)
    return shapes


def _deci(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Llama whose layers differ: some have a matrix for their attention, or none, or no network."""
    x = weights["model.embed_tokens.weight"][tokens]
    for layer, (n_kv, straight, inner) in enumerate(_deci_blocks(config)):
        stem = f"model.layers.{layer}"
        if n_kv:
            own = {**config, "num_key_value_heads": n_kv}
            h = norm(weights, f"{stem}.input_layernorm", x)
            x = x + attention(own, weights, f"{stem}.self_attn", h)
        elif straight:
            h = norm(weights, f"{stem}.input_layernorm", x)
            x = x + through(weights, f"{stem}.self_attn.linear_attn", h)
        if inner:
            h = norm(weights, f"{stem}.post_attention_layernorm", x)
            x = x + gated(weights, f"{stem}.mlp", h)
    return through(weights, "lm_head", norm(weights, "model.norm", x))


DECODERS: Mapping[str, Original] = MappingProxyType(
    {
        "DeepseekForCausalLM": (_moe_shapes, _moe),
        "DeepseekOCRForCausalLM": (
            lambda config: _moe_shapes(config["language_config"]),
            lambda config, weights, tokens: _moe(config["language_config"], weights, tokens),
        ),
        "BailingMoeForCausalLM": (_ling_shapes, _ling),
        "DeciLMForCausalLM": (_deci_shapes, _deci),
        "PlamoForCausalLM": (_plamo_shapes, _plamo),
    }
)
