"""Laguna: gated attention, whose layers may have different numbers of heads, and experts."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys, moved
from puna.convert.keys import local_base, moe_keys, n_leading_dense, window_pattern
from puna.errors import ConvertError

_PLACES = {
    "self_attn.g_proj.weight": "attn_gate.weight",
    "mlp.experts.e_score_correction.bias": "exp_probs_b.bias",
    "mlp.gate.e_score_correction.bias": "exp_probs_b.bias",
    "mlp.shared_expert.gate_proj.weight": "ffn_gate_shexp.weight",
    "mlp.shared_expert.up_proj.weight": "ffn_up_shexp.weight",
    "mlp.shared_expert.down_proj.weight": "ffn_down_shexp.weight",
}


def _heads(config: Config) -> list[int]:
    """Query heads of each layer."""
    listed = list(config.items("num_attention_heads_per_layer"))
    heads = listed or [config.n_heads] * config.n_layers
    if len(heads) != config.n_layers or not all(type(n) is int and n > 0 for n in heads):
        raise config.bad("num_attention_heads_per_layer", listed, "a number for each layer")
    return heads


def _turned(config: Config, kind: str) -> int:
    part = config.part("rope_parameters").part(kind)
    return int(config.head_size * part.real("partial_rotary_factor", 1.0))


def _keys(config: Config) -> Keys:
    if config.real("moe_router_logit_softcapping", 0.0):
        raise ConvertError("config.json: the engine does not cap the router's values")
    if config.flag("moe_apply_router_weight_on_input"):
        raise ConvertError("config.json: the engine weighs what experts give, not what they get")
    keys = {
        **moe_keys(config),
        "attention.head_count": _heads(config),
        "expert_weights_norm": True,
        "expert_weights_scale": config.real("moe_routed_scaling_factor", 1.0),
        "expert_gating_func": 2,
        "leading_dense_block_count": n_leading_dense(config),
        "rope.dimension_count": _turned(config, "full_attention"),
    }
    pattern = window_pattern(config, every=0)
    if config.whole("window", 0) and any(pattern):
        keys |= {
            "attention.sliding_window": config.whole("window"),
            "attention.sliding_window_pattern": pattern,
            "rope.dimension_count_swa": _turned(config, "sliding_attention"),
            "rope.freq_base_swa": local_base(config),
        }
    return keys


FAMILIES = {"LagunaForCausalLM": Family("laguna", _keys, moved(_PLACES))}
