"""DBRX: settings in two parts, experts one below the other in one matrix."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.tensor import Tensor


def _keys(config: Config) -> Keys:
    attention, network = config.part("attn_config"), config.part("ffn_config")
    clip = attention.real("clip_qkv", 0.0)
    return {
        "attention.head_count_kv": attention.whole("kv_n_heads"),
        "attention.layer_norm_epsilon": 1e-5,
        "attention.clamp_kqv": clip or None,
        "feed_forward_length": network.whole("ffn_hidden_size"),
        "rope.freq_base": attention.real("rope_theta", config.rope_base),
        "expert_count": network.whole("moe_num_experts"),
        "expert_used_count": network.whole("moe_top_k"),
    }


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """The engine has an expert's outputs as rows, the checkpoint in `w2` as columns."""
    if ".experts.mlp." in name:
        network = config.part("ffn_config")
        tensor = tensor.reshaped(
            network.whole("moe_num_experts"),
            network.whole("ffn_hidden_size"),
            config.whole("width"),
        )
        if name.endswith(".w2"):
            tensor = tensor.transposed()
        name += ".weight"
    yield name, tensor


FAMILIES = {"DbrxForCausalLM": Family("dbrx", _keys, _weights)}
