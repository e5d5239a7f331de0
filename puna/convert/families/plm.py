"""PLM: keys and values out of one small vector, and networks with the square of ReLU."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys


def _keys(config: Config) -> Keys:
    rotated = config.whole("qk_rope_head_dim")
    return {
        "attention.kv_lora_rank": config.whole("kv_lora_rank"),
        "attention.key_length": config.whole("qk_nope_head_dim") + rotated,
        "attention.value_length": config.whole("v_head_dim"),
        "rope.dimension_count": rotated,
    }


FAMILIES = {"PLMForCausalLM": Family("plm", _keys, tied=True)}
