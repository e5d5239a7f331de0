"""MiniCPM 3: keys and values out of one small vector, and three scales that the engine knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from puna.convert.config import Config
from puna.convert.families.phi import long_factors, long_keys
from puna.convert.family import Family, Keys, Named

_SCALES = {"scale_emb": 12.0, "scale_depth": 1.4, "dim_model_base": 256.0}


def _keys(config: Config) -> Keys:
    for name, wanted in _SCALES.items():
        if config.real(name, wanted) != wanted:
            raise config.bad(name, config.get(name), f"{wanted:g}, which the engine has")
    rotated = config.whole("qk_rope_head_dim")
    return {
        **long_keys(config),
        "attention.q_lora_rank": config.whole("q_lora_rank"),
        "attention.kv_lora_rank": config.whole("kv_lora_rank"),
        "attention.key_length": config.whole("qk_nope_head_dim") + rotated,
        "attention.value_length": None,
        "rope.dimension_count": rotated,
    }


def _factors(config: Config, _names: Collection[str]) -> Iterable[Named]:
    return long_factors(config, config.whole("qk_rope_head_dim") // 2)


FAMILIES = {"MiniCPM3ForCausalLM": Family("minicpm3", _keys, more=_factors)}
