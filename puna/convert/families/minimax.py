"""MiniMax M2: experts in every layer, heads that turn in part."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys
from puna.convert.keys import gating


def _keys(config: Config) -> Keys:
    return {
        "expert_feed_forward_length": config.whole("ffn"),
        "expert_gating_func": gating(config, "sigmoid"),
        "rope.dimension_count": config.whole("rotary_dim", config.rotary_size),
    }


FAMILIES = {"MiniMaxM2ForCausalLM": Family("minimax-m2", _keys, drop=r"\.mtp_|^model\.mtp")}
