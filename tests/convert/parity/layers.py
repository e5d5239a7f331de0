"""Parts that decoders have in common, computed with torch: weights by the names of their makers,
values of shape (token, value).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "PARTS",
    "Act",
    "Original",
    "Settings",
    "Shapes",
    "Weights",
    "attended",
    "attention",
    "gated",
    "gated_shapes",
    "llama_shapes",
    "mixed",
    "norm",
    "through",
    "turned",
]

Weights = Mapping[str, Any]
Settings = Mapping[str, Any]
Shapes = dict[str, tuple[int, ...]]
Act = Callable[[Tensor], Tensor]
Original = tuple[Callable[[Settings], Shapes], Callable[[Settings, Weights, Tensor], Tensor]]
"""The tensors of a checkpoint, and the logits of all tokens of a text."""

PARTS = ("gate_proj", "up_proj", "down_proj")


def norm(weights: Weights, name: str, x: Tensor, eps: float = 1e-6) -> Tensor:
    scaled = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)
    return scaled * weights[f"{name}.weight"]


def through(weights: Weights, name: str, x: Tensor) -> Tensor:
    return functional.linear(x, weights[f"{name}.weight"])


def turned(x: Tensor, base: float = 10000.0, *, neighbours: bool = False) -> Tensor:
    """Heads of shape (token, head, value), the first half turned with the second, or each value
    with its neighbour.
    """
    size = x.shape[-1]
    speeds = base ** (-torch.arange(0, size, 2) / size)
    angles = torch.arange(x.shape[0])[:, None, None] * speeds
    first, second = (x[..., ::2], x[..., 1::2]) if neighbours else x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    both = first * cos - second * sin, second * cos + first * sin
    return torch.stack(both, -1).flatten(-2) if neighbours else torch.cat(both, -1)


def attended(query: Tensor, key: Tensor, value: Tensor, *, causal: bool = True) -> Tensor:
    """Each token looks at itself and those before it, or at all; heads of (token, head, value)."""
    scores = torch.einsum("qhd,khd->hqk", query, key) / query.shape[-1] ** 0.5
    hidden = torch.ones(scores.shape[-2:]).triu(1).bool() & causal
    seen = scores.masked_fill(hidden, -torch.inf).softmax(-1)
    return torch.einsum("hqk,khd->qhd", seen, value).flatten(1)


def gated(weights: Weights, stem: str, x: Tensor, act: Act = functional.silu) -> Tensor:
    gate, up, down = (f"{stem}.{part}" for part in PARTS)
    return through(weights, down, act(through(weights, gate, x)) * through(weights, up, x))


def mixed(shares: Tensor, n_used: int, normed: bool, expert: Callable[[int], Tensor]) -> Tensor:
    """What the experts with the largest shares give, by their shares."""
    kept, chosen = shares.topk(n_used, -1)
    if normed:
        kept = kept / kept.sum(-1, keepdim=True)
    weighed = torch.zeros_like(shares).scatter(-1, chosen, kept)
    return sum((weighed[:, [n]] * expert(n) for n in range(shares.shape[-1])), torch.tensor(0.0))


def llama_shapes(
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


def gated_shapes(stem: str, width: int, inner: int, parts: tuple[str, ...] = PARTS) -> Shapes:
    gate, up, down = parts
    return {
        f"{stem}.{gate}.weight": (inner, width),
        f"{stem}.{up}.weight": (inner, width),
        f"{stem}.{down}.weight": (width, inner),
    }


def attention(
    config: Settings, weights: Weights, stem: str, x: Tensor, turn: bool = True
) -> Tensor:
    n_tokens, n_heads, n_kv = len(x), config["num_attention_heads"], config["num_key_value_heads"]
    query, key, value = (
        through(weights, f"{stem}.{part}_proj", x).view(n_tokens, n, -1)
        for part, n in (("q", n_heads), ("k", n_kv), ("v", n_kv))
    )
    if turn:
        query, key = turned(query), turned(key)
    each = n_heads // n_kv
    return through(
        weights,
        f"{stem}.o_proj",
        attended(query, key.repeat_interleave(each, 1), value.repeat_interleave(each, 1)),
    )
