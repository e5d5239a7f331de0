"""Gemma 3n and 4: small embeddings for each layer, layers that share keys and values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from statistics import NormalDist

import numpy as np

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named, in_block
from puna.convert.keys import window_pattern
from puna.convert.tensor import Tensor, made


def _local_base(config: Config) -> float:
    local = config.part("rope_parameters").part("sliding_attention")
    return local.real("rope_theta", config.real("rope_base_local", 10000.0))


def _gemma3n(config: Config) -> Keys:
    sparsity = config.items("activation_sparsity_pattern")
    if any(type(part) not in (int, float) for part in sparsity):
        raise config.bad("activation_sparsity_pattern", sparsity, "a list of numbers")
    return {
        "attention.sliding_window": config.whole("window"),
        "attention.sliding_window_pattern": window_pattern(config, every=5),
        "attention.shared_kv_layers": config.whole("num_kv_shared_layers"),
        "embedding_length_per_layer_input": config.whole("hidden_size_per_layer_input"),
        "feed_forward_length": _widths(config),
        "altup.active_idx": config.whole("altup_active_idx"),
        "altup.num_inputs": config.whole("altup_num_inputs"),
        "activation_sparsity_scale": [
            NormalDist().inv_cdf(part) if 0 < part < 1 else float("-inf") for part in sparsity
        ],
        "rope.freq_base_swa": _local_base(config),
    }


def _widths(config: Config) -> int:
    widths = config.items("ffn") if isinstance(config.get("ffn"), list) else [config.get("ffn")]
    if not widths or any(type(width) is not int or width != widths[0] for width in widths):
        raise config.bad("ffn", widths, "the same for every layer")
    return int(widths[0])


def _gemma3n_weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith("_scale"):
        name += ".weight"
    if name.endswith(("embed_tokens.weight", "embed_tokens_per_layer.weight")):
        tensor = tensor.padded(max(config.whole("vocab"), tensor.shape[0]))
    yield name, tensor


def _unused(config: Config, names: Collection[str]) -> Iterable[Named]:
    """The engine wants keys and values of every layer, also where it never looks at them."""
    rows = {"k_proj": config.n_kv_heads * config.head_size, "k_norm": config.head_size}
    rows["v_proj"] = rows["k_proj"]
    first = config.n_layers - config.whole("num_kv_shared_layers")
    for layer in range(max(first, 0), config.n_layers):
        for part, n_rows in rows.items():
            name = f"model.layers.{layer}.self_attn.{part}.weight"
            if name not in names:
                shape = (n_rows,) if part == "k_norm" else (n_rows, config.whole("width"))
                yield name, made(np.zeros(shape), name)


def _head_size(config: Config) -> int:
    """Of the layers without a window."""
    return _of_global(config, "global_head_dim", "head_dim") or config.head_size


def _of_global(config: Config, key: str, layer_key: str) -> int:
    """A number of the layers without a window: said once, or layer by layer; 0 where it is not."""
    if config.has(key):
        return config.whole(key)
    layers = config.part("per_layer_config")
    for number, kind in enumerate(config.items("layer_types")):
        if kind == "full_attention" and layers.part(str(number)).has(layer_key):
            return layers.part(str(number)).whole(layer_key)
    return 0


def _gemma4(config: Config) -> Keys:
    local = window_pattern(config, every=6)
    shared, width = config.whole("num_kv_shared_layers", 0), config.whole("ffn")
    widths: int | list[int] = width
    if config.flag("use_double_wide_mlp"):
        first = config.n_layers - shared
        widths = [width if layer < first else 2 * width for layer in range(config.n_layers)]
    n_kv: int | list[int] = config.n_kv_heads
    if wide := _of_global(config, "num_global_key_value_heads", "num_key_value_heads"):
        n_kv = [config.n_kv_heads if is_local else wide for is_local in local]
    rope = config.part("rope_parameters").part("sliding_attention")
    cap = config.real("final_logit_softcapping", 0.0)
    return {
        "attention.sliding_window": config.whole("window"),
        "attention.sliding_window_pattern": local,
        "attention.shared_kv_layers": shared,
        "embedding_length_per_layer_input": config.whole("hidden_size_per_layer_input", 0),
        "attention.key_length": _head_size(config),
        "attention.value_length": _head_size(config),
        "attention.key_length_swa": config.head_size,
        "attention.value_length_swa": config.head_size,
        "attention.head_count_kv": n_kv,
        "feed_forward_length": widths,
        "expert_feed_forward_length": config.whole("expert_ffn", 0) or None,
        "rope.dimension_count": _head_size(config),
        "rope.dimension_count_swa": int(config.head_size * rope.real("partial_rotary_factor", 1.0)),
        "rope.freq_base_swa": _local_base(config),
        "final_logit_softcapping": cap or None,
        "tokenizer.ggml.add_bos_token": True,
    }


def _still(config: Config, _names: Collection[str]) -> Iterable[Named]:
    """Which pairs of a head turn at all, in layers without a window."""
    size = _head_size(config)
    turning = int(size * config.rope.real("partial_rotary_factor", 1.0) / 2)
    values = np.where(np.arange(size // 2) < turning, 1.0, 1e30)
    yield "rope_freqs.weight", made(values, "rope_parameters")


def _gemma4_weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith("router.scale"):
        yield in_block(name, "ffn_gate_inp.scale"), tensor
    elif name.endswith(".per_expert_scale"):
        yield in_block(name, "ffn_down_exps.scale"), tensor
    elif name.endswith(("per_dim_scale", "layer_scalar")) or (
        ".experts." in name and not name.endswith(".weight")
    ):
        yield f"{name}.weight", tensor
    else:
        yield name, tensor


_GEMMA3N = Family(
    "gemma3n",
    _gemma3n,
    _gemma3n_weights,
    _unused,
    tied=True,
    gathered=r"altup_(?:unembed_)?projections\.(\d+)\.weight$",
)
_GEMMA4 = Family("gemma4", _gemma4, _gemma4_weights, more=_still, tied=True, vocabulary="gemma4")

FAMILIES = {
    "Gemma3nForCausalLM": _GEMMA3N,
    "Gemma3nForConditionalGeneration": _GEMMA3N,
    "Gemma4ForCausalLM": _GEMMA4,
    "Gemma4ForConditionalGeneration": _GEMMA4,
    "Gemma4UnifiedForConditionalGeneration": _GEMMA4,
}
