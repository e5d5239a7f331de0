"""Hunyuan, dense and with experts."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys, moved
from puna.convert.keys import gating, moe_keys

_LONG = 256 * 1024


def _rope(config: Config) -> Keys:
    """Its stretching of positions is a larger base."""
    rope = config.rope
    if rope.text_of("rope_type", rope.text_of("type")) != "dynamic" or not rope.has("alpha"):
        return {}
    size = config.head_size
    return {
        "rope.freq_base": config.rope_base * rope.real("alpha") ** (size / (size - 2)),
        "context_length": _LONG,
    }


def _first(config: Config, key: str, default: int) -> int:
    values = config.items(key) if isinstance(config.get(key), list) else [config.get(key)]
    first = values[0] if values else None
    if any(value != first for value in values):
        raise config.bad(key, values, "the same for every layer")
    return first if type(first) is int else default


def _dense(config: Config) -> Keys:
    return {**_rope(config), "expert_count": None, "expert_used_count": None}


def _moe(config: Config) -> Keys:
    width = config.whole("intermediate_size")
    shared = _first(config, "num_shared_expert", 1)
    return {
        **_rope(config),
        "expert_used_count": _first(config, "moe_topk", 1),
        "expert_feed_forward_length": _first(config, "moe_intermediate_size", width),
        "expert_shared_feed_forward_length": width * shared,
        "expert_shared_count": shared,
    }


def _seeing(config: Config) -> Keys:
    """Positions in several dimensions, stretched by the engine itself."""
    rope = config.rope
    listed = rope.items("xdrope_section") or rope.items("mrope_section")
    if not listed:
        return _dense(config)
    return {
        "rope.dimension_sections": [int(n) for n in (*listed, 0, 0, 0, 0)][:4],
        "rope.scaling.alpha": rope.real("alpha", 0.0),
    }


def _v3(config: Config) -> Keys:
    return {
        **moe_keys(config),
        "expert_shared_feed_forward_length": (
            config.whole("expert_ffn") * config.whole("n_experts_shared", 1)
        ),
        "expert_weights_norm": config.flag("route_norm", True),
        "expert_weights_scale": config.real("router_scaling_factor", 1.0),
        "expert_gating_func": gating(config, "sigmoid"),
    }


_PLACES = {
    "mlp.expert_bias": "exp_probs_b",
    "mlp.router.gate.weight": "ffn_gate_inp.weight",
    "shared_mlp.gate_proj.weight": "ffn_gate_shexp.weight",
    "shared_mlp.up_proj.weight": "ffn_up_shexp.weight",
    "shared_mlp.down_proj.weight": "ffn_down_shexp.weight",
}

FAMILIES = {
    "HYV3ForCausalLM": Family("hy_v3", _v3, moved(_PLACES)),
    "HunYuanDenseV1ForCausalLM": Family("hunyuan-dense", _dense),
    "HunYuanVLForConditionalGeneration": Family("hunyuan_vl", _seeing),
    "HunYuanMoEV1ForCausalLM": Family("hunyuan-moe", _moe),
}
