"""MiMo V2: layers that look back over a window have sinks, a base and key heads of their own."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named, in_block
from puna.convert.keys import local_base, moe_keys, window_pattern
from puna.convert.tensor import Tensor


def _pattern(config: Config) -> list[bool]:
    listed = config.items("hybrid_layer_pattern")
    return [bool(kind) for kind in listed] if listed else window_pattern(config, every=0)


def _keys(config: Config) -> Keys:
    local = _pattern(config)
    own = config.n_kv_heads
    swa = config.whole("swa_num_key_value_heads", 2 * own)  # so it is where nothing is said
    part = config.rope.real("partial_rotary_factor", config.real("rotary_part", 1.0))
    window = config.whole("sliding_window_size", 0)
    return {
        **moe_keys(config),
        "attention.head_count_kv": [swa if is_local else own for is_local in local],
        "attention.sliding_window": window + 1 if window else config.whole("window"),
        "attention.sliding_window_pattern": local,
        "attention.value_length": config.whole("v_head_dim"),
        "attention.value_scale": config.real("attention_value_scale", 1.0),
        "rope.dimension_count": int(config.head_size * part),
        "rope.freq_base_swa": local_base(config),
    }


def _weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith("attention_sink_bias"):
        name = in_block(name, "attn_sinks.weight")
    yield name, tensor


_MIMO2 = Family("mimo2", _keys, _weights, drop=r"^model\.mtp\.")

FAMILIES = {"MiMoV2FlashForCausalLM": _MIMO2, "MiMoV2ForCausalLM": _MIMO2}
