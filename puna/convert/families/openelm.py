"""OpenELM: each layer with its own number of heads and its own inner width."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named, in_block
from puna.convert.tensor import Tensor

_LAYER = re.compile(r"layers\.(\d+)\.")


def _of_layers(config: Config, key: str) -> Sequence[float]:
    """A number for each layer."""
    values = config.items(key)
    if len(values) != config.n_layers or any(type(each) not in (int, float) for each in values):
        raise config.bad(key, values or None, "a number for each layer")
    return values


def _widths(config: Config) -> list[int]:
    """Inner widths: multiples of a number, and never a tenth smaller than said."""
    divisor = max(config.whole("ffn_dim_divisor"), 1)
    widths = []
    for multiplier in _of_layers(config, "ffn_multipliers"):
        said = multiplier * config.whole("width")
        width = max(divisor, int(said + divisor / 2) // divisor * divisor)
        widths.append(width + divisor * (width < 0.9 * said))
    return widths


def _keys(config: Config) -> Keys:
    size = config.whole("head_dim")
    for key in ("ffn_with_glu", "normalize_qk_projections"):
        if not config.flag(key, True):
            raise config.bad(key, False, "true")
    return {
        "attention.head_count": [int(n) for n in _of_layers(config, "num_query_heads")],
        "attention.head_count_kv": [int(n) for n in _of_layers(config, "num_kv_heads")],
        "attention.key_length": size,
        "attention.value_length": size,
        "attention.layer_norm_rms_epsilon": 1e-6,
        "feed_forward_length": _widths(config),
        "rope.dimension_count": size,
        "rope.freq_base": config.real("rope_freq_constant", 10000.0),
    }


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    found = _LAYER.search(name)
    if not found or not name.endswith("ffn.proj_1.weight"):
        yield name, tensor
        return
    widths = _widths(config)
    layer = int(found[1])
    width = widths[layer] if layer < len(widths) else 0
    for part, half in zip(("gate", "up"), tensor.split(width, width), strict=True):
        yield in_block(name, f"ffn_{part}.weight"), half


FAMILIES = {"OpenELMForCausalLM": Family("openelm", _keys, _weights, tied=True)}
