"""The network: Qwen3-shaped (RMS norms, also on queries and keys; RoPE; SwiGLU; grouped queries).

The norms on queries and keys are why it is Qwen3's shape and not Llama's: they allow the high
learning rates that a training of an hour needs. Embedding and output share their weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Cria", "Shape", "Store"]

_SHORT = 224  # tokens up to which plain products beat torch's attention on a processor

Store = list[tuple[Tensor, Tensor]]  # keys and values of each layer


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the network, under the names of Hugging Face's configuration."""

    vocab_size: int = 3072
    hidden_size: int = 192
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 64
    intermediate_size: int = 512
    max_position_embeddings: int = 2048
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-6


class Norm(nn.Module):
    """RMS norm, computed in float32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return (wide * scale * self.weight).to(x.dtype)


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions, the halves of a head paired."""
    left, right = x.chunk(2, dim=-1)
    turned = torch.cat([left * cos - right * sin, right * cos + left * sin], dim=-1)
    return turned.to(x.dtype)


def repeated(x: Tensor, times: int) -> Tensor:
    """Each head `times` times; written out because repeat_interleave breaks the compiled graph."""
    rows, heads, length, size = x.shape
    return x[:, :, None].expand(rows, heads, times, length, size).reshape(rows, -1, length, size)


def attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention by plain products; the heads of a group ask as one long query."""
    rows, heads, length, size = q.shape
    groups = k.shape[1]
    asked = q.reshape(rows, groups, -1, size)
    scores = (asked @ k.mT).view(rows, groups, -1, length, length).float() * size**-0.5
    places = torch.arange(length, device=q.device)
    scores = scores.masked_fill(places[:, None] < places[None, :], -torch.inf)
    shares = scores.softmax(-1).to(v.dtype).view(rows, groups, -1, length)
    return (shares @ v).view(rows, heads, length, size)


class Attention(nn.Module):
    """Grouped-query attention with normed queries and keys."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.groups = shape.num_attention_heads, shape.num_key_value_heads
        self.size = shape.head_dim
        wide, narrow = self.heads * self.size, self.groups * self.size
        self.q_proj = nn.Linear(shape.hidden_size, wide, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, narrow, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, narrow, bias=False)
        self.o_proj = nn.Linear(wide, shape.hidden_size, bias=False)
        self.q_norm = Norm(self.size, shape.rms_norm_eps)
        self.k_norm = Norm(self.size, shape.rms_norm_eps)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        rows, length, _ = x.shape
        q = self.q_norm(self.q_proj(x).view(rows, length, self.heads, self.size)).transpose(1, 2)
        k = self.k_norm(self.k_proj(x).view(rows, length, self.groups, self.size)).transpose(1, 2)
        v = self.v_proj(x).view(rows, length, self.groups, self.size).transpose(1, 2)
        q, k = rotated(q, cos, sin), rotated(k, cos, sin)
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        if past is None and length <= _SHORT and q.device.type == "cpu":
            y = attended(q, k, v)
        else:
            each = self.heads // self.groups
            y = F.scaled_dot_product_attention(
                q,
                repeated(k, each),
                repeated(v, each),
                is_causal=past is None,  # a prompt comes whole, then one token at a time
            )
        return self.o_proj(y.transpose(1, 2).reshape(rows, length, -1)), (k, v)


class Layer(nn.Module):
    """Attention and a gated feed-forward part, each normed before."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.input_layernorm = Norm(shape.hidden_size, shape.rms_norm_eps)
        self.post_attention_layernorm = Norm(shape.hidden_size, shape.rms_norm_eps)
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, kept = self.self_attn(self.input_layernorm(x), cos, sin, past)
        x = x + y
        y = self.post_attention_layernorm(x)
        return x + self.down_proj(F.silu(self.gate_proj(y)) * self.up_proj(y)), kept


class Cria(nn.Module):
    """Tokens in, logits out."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = Norm(shape.hidden_size, shape.rms_norm_eps)
        half = shape.head_dim // 2
        rates = shape.rope_theta ** (-torch.arange(half).float() / half)
        angles = torch.arange(shape.max_position_embeddings).float()[:, None] * rates
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self._start()

    def _start(self) -> None:
        nn.init.normal_(self.embed_tokens.weight, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
        for layer in self.layers:  # each layer starts as the identity
            nn.init.zeros_(layer.self_attn.o_proj.weight)  # type: ignore[union-attr,arg-type]
            nn.init.zeros_(layer.down_proj.weight)  # type: ignore[union-attr,arg-type]

    def forward(self, tokens: Tensor) -> Tensor:
        """Hidden states after the last norm, for tokens of shape (rows, length)."""
        return self.step(tokens, None)[0]

    def step(self, tokens: Tensor, store: Store | None) -> tuple[Tensor, Store]:
        """As forward, going on from `store`; also the store that comes after."""
        start = 0 if store is None else store[0][0].shape[2]
        cos = self.cos[start : start + tokens.shape[1]]
        sin = self.sin[start : start + tokens.shape[1]]
        x = self.embed_tokens(tokens)
        kept: Store = []
        for i, layer in enumerate(self.layers):
            x, pair = layer(x, cos, sin, None if store is None else store[i])
            kept.append(pair)
        return self.norm(x), kept

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of all tokens."""
        return F.linear(hidden, self.embed_tokens.weight)
