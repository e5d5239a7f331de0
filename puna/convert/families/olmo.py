"""OLMo 1 to 3, and OLMoE."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys
from puna.convert.keys import window_pattern


def _olmo(config: Config) -> Keys:
    clamp = config.real("clip_qkv") if config.has("clip_qkv") else None
    return {"attention.layer_norm_epsilon": 1e-5, "attention.clamp_kqv": clamp}


def _olmo2(config: Config) -> Keys:
    if not config.has("window"):
        return {}
    return {
        "attention.sliding_window": config.whole("window"),
        "attention.sliding_window_pattern": window_pattern(config, every=4),
    }


_OLMO, _OLMO2 = Family("olmo", _olmo, unrotate=True), Family("olmo2", _olmo2)

FAMILIES = {
    "OlmoForCausalLM": _OLMO,
    "OLMoForCausalLM": _OLMO,
    "Olmo2ForCausalLM": _OLMO2,
    "Olmo3ForCausalLM": _OLMO2,
    "OlmoeForCausalLM": Family("olmoe"),
}
