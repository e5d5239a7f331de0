"""Jamba: Mamba with attention in every few layers, and experts in every few others."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.families.mamba import need_doubled, recurrent
from puna.convert.family import Family, Keys, Named
from puna.convert.keys import no_rope
from puna.convert.tensor import Tensor


def _keys(config: Config) -> Keys:
    need_doubled(config)
    width = config.whole("width")
    rank = config.get("mamba_dt_rank")
    period, offset = config.whole("attn_layer_period", 8), config.whole("attn_layer_offset", 4)
    several = config.whole("n_experts", 16) > 1
    return {
        **no_rope(),
        "attention.head_count_kv": [
            config.n_kv_heads if layer % max(period, 1) == offset else 0
            for layer in range(config.n_layers)
        ],
        "attention.layer_norm_rms_epsilon": config.real("rms_eps", 1e-6),
        "attention.layer_norm_epsilon": None,
        "ssm.conv_kernel": config.whole("mamba_d_conv", 4),
        "ssm.inner_size": 2 * width,
        "ssm.state_size": config.whole("mamba_d_state", 16),
        "ssm.time_step_rank": (
            -(-width // 16) if rank in (None, "auto") else config.whole("mamba_dt_rank")
        ),
        "expert_count": config.whole("n_experts", 16) if several else None,
        "expert_used_count": config.whole("n_experts_used", 2) if several else None,
    }


def _weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    yield recurrent(name, tensor)


FAMILIES = {"JambaForCausalLM": Family("jamba", _keys, _weights)}
