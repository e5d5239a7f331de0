"""SmallThinker: experts that are chosen by what the layer begins with, with ReLU."""

from __future__ import annotations

from typing import Any

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Value
from puna.convert.keys import GATING

_WINDOW, _EVERY = 4096, 4  # what the engine computes, whatever a file says


def _layout(config: Config, key: str, otherwise: int) -> list[Any]:
    """A number for each layer, 0 or 1."""
    return list(config.items(key)) or [otherwise] * config.n_layers


def _keys(config: Config) -> Keys:
    softmax = config.flag("moe_primary_router_apply_softmax")
    inner = config.whole("moe_ffn_hidden_size")
    keys: dict[str, Value | None] = {
        "expert_count": config.whole("moe_num_primary_experts"),
        "expert_used_count": config.whole("moe_num_active_primary_experts"),
        "expert_feed_forward_length": inner,
        "feed_forward_length": inner,
        "expert_gating_func": GATING["softmax" if softmax else "sigmoid"],
    }
    sees, turns = _layout(config, "sliding_window_layout", 0), _layout(config, "rope_layout", 1)
    known = [1] * config.n_layers
    if any(sees):
        if config.whole("sliding_window_size") != _WINDOW:
            raise config.bad("sliding_window_size", config.get("sliding_window_size"), "4096")
        keys["attention.sliding_window"] = _WINDOW
        known = [int(layer % _EVERY != 0) for layer in range(config.n_layers)]
        if sees != known:
            raise config.bad("sliding_window_layout", sees, "0 for each fourth from the first")
    if turns != known:
        raise config.bad("rope_layout", turns, str(known))
    return keys


FAMILIES = {"SmallThinkerForCausalLM": Family("smallthinker", _keys)}
