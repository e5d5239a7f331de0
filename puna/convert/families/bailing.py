"""Ling (Bailing) 1 and 2: queries, keys and values in one tensor, and experts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named, in_block
from puna.convert.keys import gating, moe_keys
from puna.convert.kinds import Array
from puna.convert.tensor import Tensor
from puna.errors import ConvertError

_PLACES = {
    "attention.dense.weight": "attn_output.weight",
    "attention.query_layernorm.weight": "attn_q_norm.weight",
    "attention.key_layernorm.weight": "attn_k_norm.weight",
    "mlp.gate.expert_bias": "exp_probs_b.bias",
}


def _keys(config: Config) -> Keys:
    return {**moe_keys(config), "rope.dimension_count": config.head_size}


def _keys2(config: Config) -> Keys:
    n_shared, width = config.whole("n_experts_shared", 0), config.whole("expert_ffn")
    part = config.rope.real("partial_rotary_factor", config.real("rotary_part", 0.5))
    if n_shared < 1:
        raise ConvertError("config.json: the engine wants at least one expert that is shared")
    return {
        **moe_keys(config),
        "expert_shared_feed_forward_length": config.whole(
            "moe_shared_expert_intermediate_size", n_shared * width
        ),
        "expert_gating_func": gating(config, "sigmoid"),
        "rope.dimension_count": int(config.head_size * part),
    }


def _keys_sarvam(config: Config) -> Keys:
    return {**_keys2(config), "rope.dimension_count": config.head_size}


def _placed(name: str) -> str:
    for ending, target in _PLACES.items():
        if name.endswith(ending):
            return in_block(name, target)
    return name


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Of the first kind the engine turns neighbours, and wants the three apart."""
    if name == "lm_head.weight" and config.flag("norm_head"):
        raise ConvertError("config.json: norm_head is not supported")
    if not name.endswith("attention.query_key_value.weight"):
        yield _placed(name), tensor
        return
    size = config.head_size
    own, theirs = config.n_heads * size, config.n_kv_heads * size
    query, key, value = tensor.split(own, theirs, theirs)
    yield in_block(name, "attn_q.weight"), query.unrotated(config.n_heads)
    yield in_block(name, "attn_k.weight"), key.unrotated(config.n_kv_heads)
    yield in_block(name, "attn_v.weight"), value


def _weights2(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith("attention.query_key_value.weight"):
        name = in_block(name, "attn_qkv.weight")
    yield _placed(name), tensor


def _centred(values: Array) -> Array:
    centred: Array = values - np.mean(values)
    return centred


def _weights_sarvam(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Its experts' handicaps count from their mean."""
    if name.endswith(".expert_bias"):
        tensor = tensor.computed(_centred)
    yield from _weights2(config, name, tensor)


FAMILIES = {
    "BailingMoeForCausalLM": Family("bailingmoe", _keys, _weights),
    "BailingMoeV2ForCausalLM": Family("bailingmoe2", _keys2, _weights2),
    "SarvamMoEForCausalLM": Family("bailingmoe2", _keys_sarvam, _weights_sarvam),
}
