"""Arctic: a plain network behind attention, and experts beside both."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys


def _keys(config: Config) -> Keys:
    """All layers have experts beside them: the engine knows no others."""
    for key, wanted in (("parallel_attn_mlp_res", True), ("moe_layer_frequency", 1)):
        if config.has(key) and config.get(key) != wanted:
            raise config.bad(key, config.get(key), str(wanted))
    return {}


FAMILIES = {"ArcticForCausalLM": Family("arctic", _keys, unrotate=True)}
