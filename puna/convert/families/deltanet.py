"""Qwen3-Next and Qwen3.5: layers of gated delta nets between those with attention."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.families.mamba import decay
from puna.convert.families.qwen_vl import packed_experts, sections
from puna.convert.family import Family, Keys, Named, in_block
from puna.convert.tensor import Tensor, concat

_SECTIONS = (11, 11, 10)
_NORM = re.compile(r"norm\.weight$")


def _keys(config: Config) -> Keys:
    values = config.whole("linear_num_value_heads")
    kinds = config.items("layer_types")
    return {
        "ssm.conv_kernel": config.whole("linear_conv_kernel_dim"),
        "ssm.state_size": config.whole("linear_key_head_dim"),
        "ssm.group_count": config.whole("linear_num_key_heads"),
        "ssm.time_step_rank": values,
        "ssm.inner_size": config.whole("linear_value_head_dim") * values,
        "attention.recurrent_layers": [kind == "linear_attention" for kind in kinds] or None,
        "full_attention_interval": config.whole("full_attention_interval", 4),
        "rope.dimension_count": int(
            config.head_size
            * config.rope.real("partial_rotary_factor", config.real("rotary_part", 0.25))
        ),
        "expert_feed_forward_length": config.whole("expert_ffn", 0) or None,
        "expert_shared_feed_forward_length": (
            config.whole("shared_expert_intermediate_size", 0) or None
        ),
    }


def _keys35(config: Config) -> Keys:
    return {**_keys(config), "rope.dimension_sections": sections(config, _SECTIONS)}


def _common(name: str, tensor: Tensor) -> Iterable[Named]:
    plain = name.removesuffix(".weight")
    if name.endswith(".A_log"):
        tensor = tensor.computed(decay)
    elif name.endswith(".dt_bias"):
        name = name.replace(".dt_bias", ".dt_proj.bias")
    elif name.endswith("conv1d.weight"):
        tensor = tensor.reshaped(tensor.shape[0], -1)
    elif _NORM.search(name) and not name.endswith("linear_attn.norm.weight"):
        tensor = tensor.plus(1)
    if plain.endswith("experts.gate_up_proj"):
        yield from packed_experts(name, tensor)
    elif plain.endswith("experts.down_proj"):
        yield f"{plain}.weight", tensor
    else:
        yield name, tensor


def _next(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Queries, keys, values and gates stand together, key head by key head."""
    if not name.endswith("in_proj_qkvz.weight"):
        yield from _common(name, tensor)
        return
    n_keys, key = config.whole("linear_num_key_heads"), config.whole("linear_key_head_dim")
    each = config.whole("linear_num_value_heads") // max(n_keys, 1)
    value = each * config.whole("linear_value_head_dim")
    heads = tensor.reshaped(n_keys, 2 * key + 2 * value, -1)
    bounds = (0, key, 2 * key, 2 * key + value, 2 * key + 2 * value)
    query, keys, values, gate = (
        heads.middle(begin, end).reshaped(-1, tensor.shape[-1])
        for begin, end in itertools.pairwise(bounds)
    )
    yield in_block(name, "attn_qkv.weight"), concat([query, keys, values])
    yield in_block(name, "attn_gate.weight"), gate


def _qwen35(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Value heads go from grouped by key head to taking turns, as the engine repeats key heads."""
    n_keys, n_values = config.whole("linear_num_key_heads"), config.whole("linear_num_value_heads")
    if "linear_attn." in name and n_keys != n_values:
        tensor = _taking_turns(config, name, tensor, n_keys, n_values // max(n_keys, 1))
    yield from _common(name, tensor)


def _taking_turns(config: Config, name: str, tensor: Tensor, n_keys: int, each: int) -> Tensor:
    size = config.whole("linear_value_head_dim")
    if ".in_proj_qkv." in name or ".conv1d." in name:
        first = 2 * n_keys * config.whole("linear_key_head_dim")
        fixed, values = tensor.split(first, tensor.shape[0] - first)
        return concat([fixed, values.regrouped((n_keys, each, size), (1, 0, 2))])
    if ".in_proj_z." in name:
        return tensor.regrouped((n_keys, each, size), (1, 0, 2))
    if ".out_proj." in name:
        turned = tensor.transposed().regrouped((n_keys, each, size), (1, 0, 2))
        return turned.transposed()
    if name.endswith((".in_proj_a.weight", ".in_proj_b.weight", ".A_log", ".dt_bias")):
        return tensor.regrouped((n_keys, each), (1, 0))
    return tensor


_MTP = r"^mtp\."
_DENSE = Family("qwen35", _keys35, _qwen35, drop=_MTP)
_MOE = Family("qwen35moe", _keys35, _qwen35, drop=_MTP)

FAMILIES = {
    "Qwen3NextForCausalLM": Family("qwen3next", _keys, _next, drop=_MTP),
    "Qwen3_5ForCausalLM": _DENSE,
    "Qwen3_5ForConditionalGeneration": _DENSE,
    "MiniCPMV4_6ForConditionalGeneration": _DENSE,
    "Qwen3_5MoeForCausalLM": _MOE,
    "Qwen3_5MoeForConditionalGeneration": _MOE,
}
