"""Decoders that transformers has no class for, computed here after their makers' descriptions:
DeepSeek 1, Ling 1, PLaMo, DeciLM. Runs where torch is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["DECODERS"]

Weights = Mapping[str, Any]
Settings = Mapping[str, Any]
Shapes = dict[str, tuple[int, ...]]
Act = Callable[[Tensor], Tensor]

_PARTS = ("gate_proj", "up_proj", "down_proj")


def _norm(weights: Weights, name: str, x: Tensor, eps: float = 1e-6) -> Tensor:
    scaled = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)
    return scaled * weights[f"{name}.weight"]


def _through(weights: Weights, name: str, x: Tensor) -> Tensor:
    return functional.linear(x, weights[f"{name}.weight"])


def _turned(x: Tensor, base: float = 10000.0) -> Tensor:
    """Heads of shape (token, head, value), the first half turned with the second."""
    size = x.shape[-1]
    speeds = base ** (-torch.arange(0, size, 2) / size)
    angles = torch.arange(x.shape[0])[:, None, None] * speeds
    first, second = x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def _attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Each token looks at itself and those before it; heads of (token, head, value)."""
    scores = torch.einsum("qhd,khd->hqk", query, key) / query.shape[-1] ** 0.5
    hidden = torch.ones(scores.shape[-2:]).triu(1).bool()
    seen = scores.masked_fill(hidden, -torch.inf).softmax(-1)
    return torch.einsum("hqk,khd->qhd", seen, value).flatten(1)


def _gated(weights: Weights, stem: str, x: Tensor, act: Act = functional.silu) -> Tensor:
    gate, up, down = (f"{stem}.{part}" for part in _PARTS)
    return _through(weights, down, act(_through(weights, gate, x)) * _through(weights, up, x))


def _mixed(shares: Tensor, n_used: int, normed: bool, expert: Callable[[int], Tensor]) -> Tensor:
    """What the experts with the largest shares give, by their shares."""
    kept, chosen = shares.topk(n_used, -1)
    if normed:
        kept = kept / kept.sum(-1, keepdim=True)
    weighed = torch.zeros_like(shares).scatter(-1, chosen, kept)
    return sum((weighed[:, [n]] * expert(n) for n in range(shares.shape[-1])), torch.tensor(0.0))


def _llama_shapes(
    config: Settings, layers: str = "model.layers", embed: str = "embed_tokens"
) -> Shapes:
    width, vocab = config["hidden_size"], config["vocab_size"]
    shapes: Shapes = {
        f"model.{embed}.weight": (vocab, width),
        "model.norm.weight": (width,),
        "lm_head.weight": (vocab, width),
    }
    size = config.get("head_dim") or width // config["num_attention_heads"]
    for layer in range(config["num_hidden_layers"]):
        stem = f"{layers}.{layer}"
        rows = {"q_proj": config["num_attention_heads"] * size}
        rows |= dict.fromkeys(("k_proj", "v_proj"), config["num_key_value_heads"] * size)
        for part, n_rows in rows.items():
            shapes[f"{stem}.self_attn.{part}.weight"] = (n_rows, width)
        shapes[f"{stem}.self_attn.o_proj.weight"] = (width, rows["q_proj"])
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{stem}.{norm}.weight"] = (width,)
    return shapes


def _gated_shapes(stem: str, width: int, inner: int, parts: tuple[str, ...] = _PARTS) -> Shapes:
    gate, up, down = parts
    return {
        f"{stem}.{gate}.weight": (inner, width),
        f"{stem}.{up}.weight": (inner, width),
        f"{stem}.{down}.weight": (width, inner),
    }


def _attention(
    config: Settings, weights: Weights, stem: str, x: Tensor, turn: bool = True
) -> Tensor:
    n_tokens, n_heads, n_kv = len(x), config["num_attention_heads"], config["num_key_value_heads"]
    query, key, value = (
        _through(weights, f"{stem}.{part}_proj", x).view(n_tokens, n, -1)
        for part, n in (("q", n_heads), ("k", n_kv), ("v", n_kv))
    )
    if turn:
        query, key = _turned(query), _turned(key)
    each = n_heads // n_kv
    return _through(
        weights,
        f"{stem}.o_proj",
        _attended(query, key.repeat_interleave(each, 1), value.repeat_interleave(each, 1)),
    )


def _moe_shapes(config: Settings, gate: str = "gate") -> Shapes:
    width, inner = config["hidden_size"], config["moe_intermediate_size"]
    shapes = _llama_shapes(config)
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}.mlp"
        if layer < config["first_k_dense_replace"]:
            shapes |= _gated_shapes(stem, width, config["intermediate_size"])
            continue
        shapes[f"{stem}.gate.weight"] = (config["n_routed_experts"], width)
        shared = inner * config["n_shared_experts"]
        shapes |= _gated_shapes(f"{stem}.shared_experts", width, shared)
        for expert in range(config["n_routed_experts"]):
            shapes |= _gated_shapes(f"{stem}.experts.{expert}", width, inner)
    return shapes


def _moe(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Llama with experts, by softmax, and some that all tokens get."""
    x = weights["model.embed_tokens.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        h = _norm(weights, f"{stem}.input_layernorm", x)
        x = x + _attention(config, weights, f"{stem}.self_attn", h)
        h = _norm(weights, f"{stem}.post_attention_layernorm", x)
        if layer < config["first_k_dense_replace"]:
            x = x + _gated(weights, f"{stem}.mlp", h)
            continue
        shares = _through(weights, f"{stem}.mlp.gate", h).softmax(-1)
        one = partial(lambda stem, h, n: _gated(weights, f"{stem}.mlp.experts.{n}", h), stem, h)
        used, normed = config["num_experts_per_tok"], config["norm_topk_prob"]
        x = x + _mixed(shares, used, normed, one) + _gated(weights, f"{stem}.mlp.shared_experts", h)
    return _through(weights, "lm_head", _norm(weights, "model.norm", x))


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
    for name, shape in _llama_shapes(config, layers="model.layers.layers").items():
        if "post_attention" not in name:
            shapes[name.replace("input_layernorm", "norm")] = shape
    for layer in range(config["num_hidden_layers"]):
        shapes |= _gated_shapes(
            f"model.layers.layers.{layer}.mlp", width, config["intermediate_size"]
        )
    return shapes


def _plamo(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Attention and network side by side; keys take turns among the queries."""
    x = weights["model.embed_tokens.weight"][tokens]
    n_heads, n_kv = config["num_attention_heads"], config["num_key_value_heads"]
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.layers.{layer}"
        h = _norm(weights, f"{stem}.norm", x)
        query, key, value = (
            _through(weights, f"{stem}.self_attn.{part}_proj", h).view(len(tokens), n, -1)
            for part, n in (("q", n_heads), ("k", n_kv), ("v", n_kv))
        )
        each = n_heads // n_kv
        key, value = _turned(key).repeat(1, each, 1), value.repeat(1, each, 1)
        seen = _through(weights, f"{stem}.self_attn.o_proj", _attended(_turned(query), key, value))
        x = x + seen + _gated(weights, f"{stem}.mlp", h)
    return _through(weights, "lm_head", _norm(weights, "model.norm", x))


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
    shapes = _llama_shapes({**config, "num_hidden_layers": 0})
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
            shapes |= _gated_shapes(f"{stem}.mlp", width, inner)
    return shapes


def _deci(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Llama whose layers differ: some have a matrix for their attention, or none, or no network."""
    x = weights["model.embed_tokens.weight"][tokens]
    for layer, (n_kv, straight, inner) in enumerate(_deci_blocks(config)):
        stem = f"model.layers.{layer}"
        if n_kv:
            own = {**config, "num_key_value_heads": n_kv}
            h = _norm(weights, f"{stem}.input_layernorm", x)
            x = x + _attention(own, weights, f"{stem}.self_attn", h)
        elif straight:
            h = _norm(weights, f"{stem}.input_layernorm", x)
            x = x + _through(weights, f"{stem}.self_attn.linear_attn", h)
        if inner:
            h = _norm(weights, f"{stem}.post_attention_layernorm", x)
            x = x + _gated(weights, f"{stem}.mlp", h)
    return _through(weights, "lm_head", _norm(weights, "model.norm", x))


Original = tuple[Callable[[Settings], Shapes], Callable[[Settings, Weights, Tensor], Tensor]]
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
