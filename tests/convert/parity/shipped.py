"""Decoders whose code their makers ship beside the weights, computed here after it: SmallThinker,
PLM, OpenELM, Arctic, Maincoder, Nanbeige, BitNet of 1bitLLM; and NeoBERT. Runs where torch is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

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

__all__ = ["SHIPPED"]

_HEAD, _EMBED, _LAST = "lm_head", "model.embed_tokens.weight", "model.norm"


def _smallthinker_shapes(config: Settings) -> Shapes:
    width, inner = config["hidden_size"], config["moe_ffn_hidden_size"]
    shapes = llama_shapes(config)
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}.block_sparse_moe"
        shapes[f"{stem}.primary_router.weight"] = (config["moe_num_primary_experts"], width)
        for expert in range(config["moe_num_primary_experts"]):
            parts = ("gate", "up", "down")
            shapes |= gated_shapes(f"{stem}.experts.{expert}", width, inner, parts)
    return shapes


def _smallthinker(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Experts are chosen by what a layer begins with; each fourth layer turns nothing, where some
    have a window.
    """
    x = weights[_EMBED][tokens]
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        moe = f"{stem}.block_sparse_moe"
        scores = through(weights, f"{moe}.primary_router", x)
        softmax = config["moe_primary_router_apply_softmax"]
        shares = scores.softmax(-1) if softmax else scores.sigmoid()
        h = norm(weights, f"{stem}.input_layernorm", x)
        turn = bool(config["rope_layout"][layer])
        x = x + attention(config, weights, f"{stem}.self_attn", h, turn)
        h = norm(weights, f"{stem}.post_attention_layernorm", x)
        used = config["moe_num_active_primary_experts"]
        x = x + mixed(shares, used, True, partial(_relu_expert, weights, moe, h))
    return through(weights, _HEAD, norm(weights, _LAST, x))


def _relu_expert(weights: Weights, stem: str, h: Tensor, number: int) -> Tensor:
    gate, up, down = (f"{stem}.experts.{number}.{part}" for part in ("gate", "up", "down"))
    return through(weights, down, through(weights, gate, h).relu() * through(weights, up, h))


def _plm_shapes(config: Settings) -> Shapes:
    width, inner, n_heads = (
        config[key] for key in ("hidden_size", "intermediate_size", "num_attention_heads")
    )
    rank, plain, rotated, size = (
        config[key]
        for key in ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    )
    shapes: Shapes = {_EMBED: (config["vocab_size"], width), f"{_LAST}.weight": (width,)}
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        shapes |= {
            f"{stem}.input_layernorm.weight": (width,),
            f"{stem}.post_attention_layernorm.weight": (width,),
            f"{stem}.self_attn.q_proj.weight": (n_heads * (plain + rotated), width),
            f"{stem}.self_attn.kv_a_proj_with_mqa.weight": (rank + rotated, width),
            f"{stem}.self_attn.kv_a_layernorm.weight": (rank,),
            f"{stem}.self_attn.kv_b_proj.weight": (n_heads * (plain + size), rank),
            f"{stem}.self_attn.o_proj.weight": (width, n_heads * size),
            f"{stem}.mlp.up_proj.weight": (inner, width),
            f"{stem}.mlp.down_proj.weight": (width, inner),
        }
    return shapes


def _plm(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Attention as DeepSeek 2 has it, its head the embedding, and networks of ReLU's square."""
    x, n_heads = weights[_EMBED][tokens], config["num_attention_heads"]
    rank, plain = config["kv_lora_rank"], config["qk_nope_head_dim"]
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        att = f"{stem}.self_attn"
        h = norm(weights, f"{stem}.input_layernorm", x)
        query = through(weights, f"{att}.q_proj", h).view(len(tokens), n_heads, -1)
        small, shared = through(weights, f"{att}.kv_a_proj_with_mqa", h).tensor_split([rank], -1)
        small = norm(weights, f"{att}.kv_a_layernorm", small)
        both = through(weights, f"{att}.kv_b_proj", small).view(len(tokens), n_heads, -1)
        shared = turned(shared[:, None], neighbours=True).expand(-1, n_heads, -1)
        key = torch.cat([both[..., :plain], shared], -1)
        query = torch.cat([query[..., :plain], turned(query[..., plain:], neighbours=True)], -1)
        x = x + through(weights, f"{att}.o_proj", attended(query, key, both[..., plain:]))
        h = norm(weights, f"{stem}.post_attention_layernorm", x)
        inner = through(weights, f"{stem}.mlp.up_proj", h).relu() ** 2
        x = x + through(weights, f"{stem}.mlp.down_proj", inner)
    return norm(weights, _LAST, x) @ weights[_EMBED].T


def _elm_width(config: Settings, multiplier: float) -> int:
    """The nearest multiple of the divisor, or the next if that is a tenth less."""
    divisor, said = config["ffn_dim_divisor"], multiplier * config["model_dim"]
    near = max(divisor, int(said + divisor / 2) // divisor * divisor)
    return int(near + divisor if near < 0.9 * said else near)


def _elm_shapes(config: Settings) -> Shapes:
    width, size = config["model_dim"], config["head_dim"]
    shapes: Shapes = {
        "transformer.token_embeddings.weight": (config["vocab_size"], width),
        "transformer.norm.weight": (width,),
    }
    layers = zip(
        config["num_query_heads"], config["num_kv_heads"], config["ffn_multipliers"], strict=True
    )
    for layer, (n_heads, n_kv, multiplier) in enumerate(layers):
        stem = f"transformer.layers.{layer}"
        inner = _elm_width(config, multiplier)
        shapes |= {
            f"{stem}.attn_norm.weight": (width,),
            f"{stem}.ffn_norm.weight": (width,),
            f"{stem}.attn.qkv_proj.weight": ((n_heads + 2 * n_kv) * size, width),
            f"{stem}.attn.q_norm.weight": (size,),
            f"{stem}.attn.k_norm.weight": (size,),
            f"{stem}.attn.out_proj.weight": (width, n_heads * size),
            f"{stem}.ffn.proj_1.weight": (2 * inner, width),
            f"{stem}.ffn.proj_2.weight": (width, inner),
        }
    return shapes


def _elm(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Queries and keys are normed head by head, and each layer has heads of its own number."""
    embed = weights["transformer.token_embeddings.weight"]
    x = embed[tokens]
    for layer, (n_heads, n_kv) in enumerate(
        zip(config["num_query_heads"], config["num_kv_heads"], strict=True)
    ):
        stem = f"transformer.layers.{layer}"
        h = norm(weights, f"{stem}.attn_norm", x)
        joined = through(weights, f"{stem}.attn.qkv_proj", h)
        joined = joined.view(len(tokens), n_heads + 2 * n_kv, -1)
        query, key, value = joined.split([n_heads, n_kv, n_kv], 1)
        query = turned(norm(weights, f"{stem}.attn.q_norm", query))
        key = turned(norm(weights, f"{stem}.attn.k_norm", key))
        each = n_heads // n_kv
        key, value = key.repeat_interleave(each, 1), value.repeat_interleave(each, 1)
        x = x + through(weights, f"{stem}.attn.out_proj", attended(query, key, value))
        h = norm(weights, f"{stem}.ffn_norm", x)
        gate, up = through(weights, f"{stem}.ffn.proj_1", h).chunk(2, -1)
        x = x + through(weights, f"{stem}.ffn.proj_2", functional.silu(gate) * up)
    return norm(weights, "transformer.norm", x) @ embed.T


def _arctic_shapes(config: Settings) -> Shapes:
    width, parts = config["hidden_size"], ("w1", "w3", "w2")
    shapes = llama_shapes(config)
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        shapes[f"{stem}.residual_layernorm.weight"] = (width,)
        shapes |= gated_shapes(f"{stem}.residual_mlp", width, width, parts)
        shapes[f"{stem}.block_sparse_moe.gate.weight"] = (config["num_local_experts"], width)
        for expert in range(config["num_local_experts"]):
            name = f"{stem}.block_sparse_moe.experts.{expert}"
            shapes |= gated_shapes(name, width, config["intermediate_size"], parts)
    return shapes


def _arctic(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Experts look at what their layer begins with, beside attention and a plain network."""
    x = weights[_EMBED][tokens]
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        moe = f"{stem}.block_sparse_moe"
        first = norm(weights, f"{stem}.post_attention_layernorm", x)
        h = norm(weights, f"{stem}.input_layernorm", x)
        x = x + attention(config, weights, f"{stem}.self_attn", h)
        h = norm(weights, f"{stem}.residual_layernorm", x)
        x = x + _in_three(weights, f"{stem}.residual_mlp", h)
        shares = through(weights, f"{moe}.gate", first).softmax(-1)
        expert = partial(lambda moe, h, n: _in_three(weights, f"{moe}.experts.{n}", h), moe, first)
        x = x + mixed(shares, config["num_experts_per_tok"], True, expert)
    return through(weights, _HEAD, norm(weights, _LAST, x))


def _in_three(weights: Weights, stem: str, h: Tensor) -> Tensor:
    gate, down, up = (f"{stem}.w{number}" for number in (1, 2, 3))
    return through(
        weights, down, functional.silu(through(weights, gate, h)) * through(weights, up, h)
    )


def _network_shapes(config: Settings) -> Shapes:
    shapes = llama_shapes(config)
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}.mlp"
        shapes |= gated_shapes(stem, config["hidden_size"], config["intermediate_size"])
    return shapes


def _maincoder_shapes(config: Settings) -> Shapes:
    shapes = _network_shapes(config)
    size = config["hidden_size"] // config["num_attention_heads"]
    for layer in range(config["num_hidden_layers"]):
        for part in "qk":
            shapes[f"model.layers.{layer}.self_attn.{part}_norm.weight"] = (size,)
    return shapes


def _maincoder(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Llama that turns neighbours, and norms queries and keys when they are turned."""
    x = weights[_EMBED][tokens]
    n_heads, n_kv = config["num_attention_heads"], config["num_key_value_heads"]
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        att = f"{stem}.self_attn"
        h = norm(weights, f"{stem}.input_layernorm", x)
        query, key, value = (
            through(weights, f"{att}.{part}_proj", h).view(len(tokens), n, -1)
            for part, n in (("q", n_heads), ("k", n_kv), ("v", n_kv))
        )
        query = norm(weights, f"{att}.q_norm", turned(query, neighbours=True))
        key = norm(weights, f"{att}.k_norm", turned(key, neighbours=True))
        each = n_heads // n_kv
        key, value = key.repeat_interleave(each, 1), value.repeat_interleave(each, 1)
        x = x + through(weights, f"{att}.o_proj", attended(query, key, value))
        h = norm(weights, f"{stem}.post_attention_layernorm", x)
        x = x + gated(weights, f"{stem}.mlp", h)
    return through(weights, _HEAD, norm(weights, _LAST, x))


def _nanbeige(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Llama whose layers are passed several times, with the last norm between."""
    x = weights[_EMBED][tokens]
    for number in range(config["num_loops"]):
        if number and not config["skip_loop_final_norm"]:
            x = norm(weights, _LAST, x)
        for layer in range(config["num_hidden_layers"]):
            stem = f"model.layers.{layer}"
            h = norm(weights, f"{stem}.input_layernorm", x)
            x = x + attention(config, weights, f"{stem}.self_attn", h)
            h = norm(weights, f"{stem}.post_attention_layernorm", x)
            x = x + gated(weights, f"{stem}.mlp", h)
    return through(weights, _HEAD, norm(weights, _LAST, x))


def _bitnet_shapes(config: Settings) -> Shapes:
    width, inner = config["hidden_size"], config["intermediate_size"]
    shapes = _network_shapes(config)
    del shapes[f"{_HEAD}.weight"]
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        shapes[f"{stem}.self_attn.inner_attn_ln.weight"] = (width,)
        shapes[f"{stem}.mlp.ffn_layernorm.weight"] = (inner,)
    return shapes


def _bitnet(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Llama whose matrices have three values, with a norm before the last of attention and of the
    network.
    """
    three = {
        name: _ternary(values) if name.endswith("_proj.weight") else values
        for name, values in weights.items()
    }
    x, n_heads, n_kv = (
        three[_EMBED][tokens],
        config["num_attention_heads"],
        config["num_key_value_heads"],
    )
    for layer in range(config["num_hidden_layers"]):
        att, mlp = f"model.layers.{layer}.self_attn", f"model.layers.{layer}.mlp"
        h = norm(three, f"model.layers.{layer}.input_layernorm", x)
        query, key, value = (
            through(three, f"{att}.{part}_proj", h).view(len(tokens), n, -1)
            for part, n in (("q", n_heads), ("k", n_kv), ("v", n_kv))
        )
        seen = attended(turned(query), turned(key), value)
        x = x + through(three, f"{att}.o_proj", norm(three, f"{att}.inner_attn_ln", seen))
        h = norm(three, f"model.layers.{layer}.post_attention_layernorm", x)
        inner = functional.silu(through(three, f"{mlp}.gate_proj", h))
        inner = norm(three, f"{mlp}.ffn_layernorm", inner * through(three, f"{mlp}.up_proj", h))
        x = x + through(three, f"{mlp}.down_proj", inner)
    return norm(three, _LAST, x) @ three[_EMBED].T


def _ternary(values: Any) -> Any:
    mean = values.abs().mean().clamp(min=1e-5)
    return (values / mean).round().clamp(-1, 1) * mean


def _neobert_shapes(config: Settings) -> Shapes:
    width = config["hidden_size"]
    inner = -(-int(2 * config["intermediate_size"] / 3) // 8) * 8
    shapes: Shapes = {
        "encoder.weight": (config["vocab_size"], width),
        "layer_norm.weight": (width,),
    }
    for layer in range(config["num_hidden_layers"]):
        stem = f"transformer_encoder.{layer}"
        shapes |= {
            f"{stem}.qkv.weight": (3 * width, width),
            f"{stem}.wo.weight": (width, width),
            f"{stem}.ffn.w12.weight": (2 * inner, width),
            f"{stem}.ffn.w3.weight": (width, inner),
            f"{stem}.attention_norm.weight": (width,),
            f"{stem}.ffn_norm.weight": (width,),
        }
    return shapes


def _neobert(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """All tokens look at all; neighbours turn; queries, keys and values come head by head."""
    x = weights["encoder.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        stem = f"transformer_encoder.{layer}"
        joined = through(weights, f"{stem}.qkv", norm(weights, f"{stem}.attention_norm", x))
        joined = joined.view(len(tokens), config["num_attention_heads"], -1)
        query, key, value = joined.chunk(3, -1)
        query, key = turned(query, neighbours=True), turned(key, neighbours=True)
        x = x + through(weights, f"{stem}.wo", attended(query, key, value, causal=False))
        both = through(weights, f"{stem}.ffn.w12", norm(weights, f"{stem}.ffn_norm", x))
        gate, up = both.chunk(2, -1)
        x = x + through(weights, f"{stem}.ffn.w3", functional.silu(gate) * up)
    return norm(weights, "layer_norm", x)


def _neobert_scores_shapes(config: Settings) -> Shapes:
    width = config["hidden_size"]
    shapes = {f"model.{name}": shape for name, shape in _neobert_shapes(config).items()}
    return shapes | {
        "dense.weight": (width, width),
        "dense.bias": (width,),
        "classifier.weight": (config["num_labels"], width),
        "classifier.bias": (config["num_labels"],),
    }


def _neobert_scores(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """Of the first token's vector."""
    inner = {name.removeprefix("model."): values for name, values in weights.items()}
    x = _neobert(config, inner, tokens)[0]
    x = functional.linear(x, weights["dense.weight"], weights["dense.bias"]).tanh()
    return functional.linear(x, weights["classifier.weight"], weights["classifier.bias"])


SHIPPED: Mapping[str, Original] = MappingProxyType(
    {
        "SmallThinkerForCausalLM": (_smallthinker_shapes, _smallthinker),
        "PLMForCausalLM": (_plm_shapes, _plm),
        "OpenELMForCausalLM": (_elm_shapes, _elm),
        "ArcticForCausalLM": (_arctic_shapes, _arctic),
        "MaincoderForCausalLM": (_maincoder_shapes, _maincoder),
        "NanbeigeForCausalLM": (_network_shapes, _nanbeige),
        "BitnetForCausalLM": (_bitnet_shapes, _bitnet),
        "NeoBERT": (_neobert_shapes, _neobert),
        "NeoBERTForSequenceClassification": (_neobert_scores_shapes, _neobert_scores),
    }
)
