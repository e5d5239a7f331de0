"""Models that transformers has no class for, computed here after their papers and their makers'
descriptions: JinaBERT v2, RWKV 6 and 7. Runs where torch is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from tests.convert.parity.decoders import DECODERS
from tests.convert.parity.layers import Original, Settings, Shapes, Weights
from tests.convert.parity.shipped import SHIPPED

__all__ = ["ORIGINALS"]

_HEAD = 64  # values of a head of RWKV
_GROUP_EPS = 64e-5


def _norm(weights: Weights, name: str, x: Tensor, eps: float) -> Tensor:
    return functional.layer_norm(
        x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps
    )


def _linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return functional.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))


def _jina_shapes(config: Settings) -> Shapes:
    width, inner = config["hidden_size"], config["intermediate_size"]
    shapes: Shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], width),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
    }
    for layer in range(config["num_hidden_layers"]):
        stem = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{stem}.attention.{part}.weight"] = (width, width)
            shapes[f"{stem}.attention.{part}.bias"] = (width,)
        for norm in ("attention.output.LayerNorm", "mlp.layernorm"):
            shapes[f"{stem}.{norm}.weight"] = shapes[f"{stem}.{norm}.bias"] = (width,)
        shapes[f"{stem}.mlp.gated_layers.weight"] = (2 * inner, width)
        shapes[f"{stem}.mlp.wo.weight"] = (width, inner)
        shapes[f"{stem}.mlp.wo.bias"] = (width,)
    return shapes


def _jina(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """BERT whose heads see less the further away a token is, with gated networks."""
    n_heads, eps = config["num_attention_heads"], config["layer_norm_eps"]
    x = weights["embeddings.word_embeddings.weight"][tokens]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    x = _norm(weights, "embeddings.LayerNorm", x, eps)
    places = torch.arange(len(tokens))
    distance = (places[:, None] - places[None]).abs()
    slopes = 2.0 ** (-8.0 * torch.arange(1, n_heads + 1) / n_heads)
    for layer in range(config["num_hidden_layers"]):
        stem = f"encoder.layer.{layer}"
        query, key, value = (
            _linear(weights, f"{stem}.attention.self.{part}", x)
            .view(len(tokens), n_heads, -1)
            .transpose(0, 1)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
        seen = (scores - slopes[:, None, None] * distance).softmax(-1) @ value
        out = _linear(weights, f"{stem}.attention.output.dense", seen.transpose(0, 1).flatten(1))
        x = _norm(weights, f"{stem}.attention.output.LayerNorm", out + x, eps)
        gate, up = _linear(weights, f"{stem}.mlp.gated_layers", x).chunk(2, -1)
        out = _linear(weights, f"{stem}.mlp.wo", functional.gelu(gate) * up)
        x = _norm(weights, f"{stem}.mlp.layernorm", x + out, eps)
    return x


def _shifted(x: Tensor) -> Tensor:
    """What the token before had, less what each has."""
    return torch.cat([torch.zeros_like(x[:1]), x[:-1]]) - x


def _group_norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    return functional.group_norm(
        x, x.shape[-1] // _HEAD, weights[f"{name}.weight"], weights[f"{name}.bias"], _GROUP_EPS
    )


def _rwkv6_shapes(config: Settings) -> Shapes:
    width, inner, rank, faded = config["hidden_size"], config["intermediate_size"], 32, 64
    shapes: Shapes = {
        "rwkv.embeddings.weight": (config["vocab_size"], width),
        "head.weight": (config["vocab_size"], width),
    }
    norms = ["rwkv.blocks.0.pre_ln", "rwkv.ln_out"]
    for layer in range(config["num_hidden_layers"]):
        stem = f"rwkv.blocks.{layer}"
        norms += [f"{stem}.ln1", f"{stem}.ln2", f"{stem}.attention.ln_x"]
        for part in "xwkvrg":
            shapes[f"{stem}.attention.time_maa_{part}"] = (1, 1, width)
        for part in "kr":
            shapes[f"{stem}.feed_forward.time_maa_{part}"] = (1, 1, width)
        for part in ("receptance", "key", "value", "gate", "output"):
            shapes[f"{stem}.attention.{part}.weight"] = (width, width)
        shapes |= {
            f"{stem}.attention.time_maa_w1": (width, 5 * rank),
            f"{stem}.attention.time_maa_w2": (5, rank, width),
            f"{stem}.attention.time_decay": (1, 1, width),
            f"{stem}.attention.time_decay_w1": (width, faded),
            f"{stem}.attention.time_decay_w2": (faded, width),
            f"{stem}.attention.time_faaaa": (width // _HEAD, _HEAD),
            f"{stem}.feed_forward.key.weight": (inner, width),
            f"{stem}.feed_forward.value.weight": (width, inner),
            f"{stem}.feed_forward.receptance.weight": (width, width),
        }
    for norm in norms:
        shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = (width,)
    return shapes


def _rwkv6(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """States that fade by what the text says."""
    eps, n_tokens = config["layer_norm_epsilon"], len(tokens)
    x = _norm(weights, "rwkv.blocks.0.pre_ln", weights["rwkv.embeddings.weight"][tokens], eps)
    for layer in range(config["num_hidden_layers"]):
        stem = f"rwkv.blocks.{layer}"
        mix = f"{stem}.attention."
        h = _norm(weights, f"{stem}.ln1", x, eps)
        shift = _shifted(h)
        base = h + shift * weights[f"{mix}time_maa_x"][0]
        low = torch.tanh(base @ weights[f"{mix}time_maa_w1"]).view(n_tokens, 5, -1).transpose(0, 1)
        more = low @ weights[f"{mix}time_maa_w2"]
        mixed = {
            part: h + shift * (weights[f"{mix}time_maa_{part}"][0] + more[number])
            for number, part in enumerate("wkvrg")
        }
        fading = torch.tanh(mixed["w"] @ weights[f"{mix}time_decay_w1"])
        fading = weights[f"{mix}time_decay"][0] + fading @ weights[f"{mix}time_decay_w2"]
        keep = torch.exp(-torch.exp(fading)).view(n_tokens, -1, _HEAD)
        query, key, value = (
            _linear(weights, f"{mix}{part}", mixed[name]).view(n_tokens, -1, _HEAD)
            for part, name in (("receptance", "r"), ("key", "k"), ("value", "v"))
        )
        first = weights[f"{mix}time_faaaa"]
        state, rows = torch.zeros(query.shape[1], _HEAD, _HEAD), []
        for n in range(n_tokens):
            new = key[n, :, :, None] * value[n, :, None, :]
            rows.append(torch.einsum("hk,hkv->hv", query[n], state + first[..., None] * new))
            state = keep[n, :, :, None] * state + new
        out = _group_norm(weights, f"{mix}ln_x", torch.stack(rows).flatten(1))
        out = out * functional.silu(_linear(weights, f"{mix}gate", mixed["g"]))
        x = x + _linear(weights, f"{mix}output", out)
        h = _norm(weights, f"{stem}.ln2", x, eps)
        shift = _shifted(h)
        stem += ".feed_forward."
        inner = _linear(weights, f"{stem}key", h + shift * weights[f"{stem}time_maa_k"][0])
        door = _linear(weights, f"{stem}receptance", h + shift * weights[f"{stem}time_maa_r"][0])
        x = x + torch.sigmoid(door) * _linear(weights, f"{stem}value", torch.relu(inner) ** 2)
    return _linear(weights, "head", _norm(weights, "rwkv.ln_out", x, eps))


def _rwkv7_shapes(config: Settings) -> Shapes:
    width, inner = config["hidden_size"], config["intermediate_size"]
    shapes: Shapes = {
        "model.embeddings.weight": (config["vocab_size"], width),
        "lm_head.weight": (config["vocab_size"], width),
    }
    norms = ["model.layers.0.pre_norm", "model.norm"]
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        norms += [f"{stem}.attn_norm", f"{stem}.ffn_norm", f"{stem}.attn.g_norm"]
        for part in "rwkvag":
            shapes[f"{stem}.attn.x_{part}"] = (1, 1, width)
        shapes[f"{stem}.ffn.x_k"] = (width,)
        for part in "rkvo":
            shapes[f"{stem}.attn.{part}_proj.weight"] = (width, width)
        for part, key in (("w", "decay"), ("a", "a"), ("v", "v"), ("g", "gate")):
            if part == "v" and not layer:
                continue
            rank = config[f"{key}_low_rank_dim"]
            shapes[f"{stem}.attn.{part}_lora.lora.0.weight"] = (rank, width)
            shapes[f"{stem}.attn.{part}_lora.lora.2.weight"] = (width, rank)
            if part != "g":
                shapes[f"{stem}.attn.{part}_lora.lora.2.bias"] = (width,)
        shapes |= {
            f"{stem}.attn.k_k": (width,),
            f"{stem}.attn.k_a": (width,),
            f"{stem}.attn.r_k": (width // _HEAD, _HEAD),
            f"{stem}.ffn.key.weight": (inner, width),
            f"{stem}.ffn.value.weight": (width, inner),
        }
    for norm in norms:
        shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = (width,)
    return shapes


def _rwkv7(config: Settings, weights: Weights, tokens: Tensor) -> Tensor:
    """States that forget along a key what is written anew."""
    eps, n_tokens = config["norm_eps"], len(tokens)
    x = _norm(weights, "model.layers.0.pre_norm", weights["model.embeddings.weight"][tokens], eps)
    first_value = torch.zeros(())
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        mix = f"{stem}.attn."
        h = _norm(weights, f"{stem}.attn_norm", x, eps)
        shift = _shifted(h)
        mixed = {part: h + shift * weights[f"{mix}x_{part}"][0] for part in "rwkvag"}

        def low_rank(
            part: str,
            between: Callable[[Tensor], Tensor],
            mix: str = mix,
            mixed: Mapping[str, Tensor] = mixed,
        ) -> Tensor:
            inner = between(_linear(weights, f"{mix}{part}_lora.lora.0", mixed[part]))
            return _linear(weights, f"{mix}{part}_lora.lora.2", inner)

        keep = torch.exp(-0.606531 * torch.sigmoid(low_rank("w", torch.tanh)))
        rate = torch.sigmoid(low_rank("a", lambda values: values))
        gate = low_rank("g", torch.sigmoid)
        query, key, value = (_linear(weights, f"{mix}{p}_proj", mixed[p]) for p in "rkv")
        if layer:
            share = torch.sigmoid(low_rank("v", lambda values: values))
            value = value + (first_value - value) * share
        else:
            first_value = value
        along = (key * weights[f"{mix}k_k"]).view(n_tokens, -1, _HEAD)
        along = functional.normalize(along, dim=-1)
        key = key * (1 + (rate - 1) * weights[f"{mix}k_a"])
        query, key, value, keep, rate = (
            values.view(n_tokens, -1, _HEAD) for values in (query, key, value, keep, rate)
        )
        state, rows = torch.zeros(query.shape[1], _HEAD, _HEAD), []  # values by keys
        for n in range(n_tokens):
            old = torch.einsum("hvk,hk->hv", state, along[n])
            state = state * keep[n, :, None, :]
            state = state - old[..., None] * (along[n] * rate[n])[:, None, :]
            state = state + value[n, :, :, None] * key[n, :, None, :]
            rows.append(torch.einsum("hvk,hk->hv", state, query[n]))
        out = _group_norm(weights, f"{mix}g_norm", torch.stack(rows).flatten(1))
        bonus = (query * key * weights[f"{mix}r_k"]).sum(-1, keepdim=True) * value
        x = x + _linear(weights, f"{mix}o_proj", (out + bonus.flatten(1)) * gate)
        h = _norm(weights, f"{stem}.ffn_norm", x, eps)
        inner = _linear(weights, f"{stem}.ffn.key", h + _shifted(h) * weights[f"{stem}.ffn.x_k"])
        x = x + _linear(weights, f"{stem}.ffn.value", torch.relu(inner) ** 2)
    return _linear(weights, "lm_head", _norm(weights, "model.norm", x, eps))


ORIGINALS: Mapping[str, Original] = MappingProxyType(
    {
        **DECODERS,
        **SHIPPED,
        "JinaBertModel": (_jina_shapes, _jina),
        "Rwkv6ForCausalLM": (_rwkv6_shapes, _rwkv6),
        "RWKV7ForCausalLM": (_rwkv7_shapes, _rwkv7),
    }
)
