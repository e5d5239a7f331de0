"""LFM2: short convolutions, with attention in some layers."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.keys import GATING
from puna.convert.tensor import Tensor


def _keys(config: Config) -> Keys:
    return {
        "attention.head_count_kv": [
            config.n_kv_heads if kind == "full_attention" else 0
            for kind in config.items("layer_types")
        ],
        "attention.layer_norm_rms_epsilon": config.real("rms_eps", 1e-5),
        "attention.layer_norm_epsilon": None,
        "shortconv.l_cache": config.whole("conv_L_cache"),
        "feed_forward_length": _inner(config),
    }


def _inner(config: Config) -> int:
    width = config.whole("block_ff_dim", config.whole("ffn"))
    if not config.flag("block_auto_adjust_ff_dim"):
        return width
    width = int(2 * width / 3)
    if config.has("block_ffn_dim_multiplier"):
        width = int(config.real("block_ffn_dim_multiplier") * width)
    multiple = config.whole("block_multiple_of", 256) or 1
    return -(-width // multiple) * multiple


def _moe(config: Config) -> Keys:
    return {
        **_keys(config),
        "expert_feed_forward_length": config.whole("expert_ffn"),
        "leading_dense_block_count": config.whole("num_dense_layers"),
        "expert_gating_func": GATING["sigmoid"],
    }


def _weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    if "conv.conv" in name:
        tensor = tensor.reshaped(tensor.shape[0], -1)
    if name.endswith(".expert_bias"):
        name += ".bias"
    yield name, tensor


def _both_ways(config: Config) -> Keys:
    return {**_keys(config), "attention.causal": False}


FAMILIES = {
    "Lfm2Model": Family("lfm2", _keys, _weights, tied=True, prefix="model.", dense=True),
    "Lfm2BidirectionalModel": Family(
        "lfm2", _both_ways, _weights, tied=True, prefix="model.", dense=True
    ),
    "Lfm2ForCausalLM": Family("lfm2", _keys, _weights, tied=True),
    "LFM2ForCausalLM": Family("lfm2", _keys, _weights, tied=True),
    "Lfm2VlForConditionalGeneration": Family("lfm2", _keys, _weights, tied=True),
    "Lfm2MoeForCausalLM": Family("lfm2moe", _moe, _weights, tied=True),
}
