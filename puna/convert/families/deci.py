"""DeciLM and the larger Nemotrons: Llama whose layers differ, or lack a part."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.keys import llama3_factors
from puna.convert.tensor import Tensor
from puna.errors import ConvertError

_MULTIPLE = 256


def _blocks(config: Config) -> list[Config]:
    blocks = [Config(each) for each in config.items("block_configs") if isinstance(each, dict)]
    if len(blocks) != config.n_layers:
        raise config.bad("block_configs", len(blocks), "an object for each layer")
    return blocks


def _kv_heads(config: Config) -> list[int]:
    """Key heads of each layer, 0 where it has no attention."""
    if listed := config.items("num_key_value_heads_per_layer"):
        return [int(n) for n in listed]
    if not config.has("block_configs"):
        return [config.n_kv_heads] * config.n_layers
    shares = [each.part("attention").whole("n_heads_in_group", 0) for each in _blocks(config)]
    return [config.n_heads // share if share else 0 for share in shares]


def _heads(config: Config) -> list[int]:
    """Query heads of each layer; a matrix in place of attention counts as if it had them."""
    straight = [each.part("attention").flag("replace_with_linear") for each in _blocks(config)]
    return [
        config.n_heads if n_kv or plain else 0
        for n_kv, plain in zip(_kv_heads(config), straight, strict=True)
    ]


def _widths(config: Config) -> list[int]:
    """The inner width of each layer: a multiple of 256, 0 where it has no network."""
    widths = []
    for each in _blocks(config):
        network = each.text.get("ffn")  # here a name of its own
        mult = Config(network).real("ffn_mult", 0.0) if isinstance(network, dict) else 0.0
        part = int(2 * mult * config.whole("width") / 3)
        widths.append(-(-part // _MULTIPLE) * _MULTIPLE)
    return widths


def _keys(config: Config) -> Keys:
    size = config.head_size
    if not config.has("block_configs"):
        return {"attention.head_count_kv": _kv_heads(config)}
    heads, widths = _heads(config), _widths(config)
    if any(n and not width for n, width in zip(heads, widths, strict=True)):
        raise ConvertError("config.json: the engine passes over layers without a network")
    return {
        "attention.head_count": heads,
        "attention.head_count_kv": _kv_heads(config),
        "attention.key_length": size,
        "attention.value_length": size,
        "feed_forward_length": widths,
        "rope.dimension_count": size,
    }


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith(("q_proj.weight", "q_proj.bias")):
        tensor = tensor.unrotated(config.n_heads)
    elif name.endswith(("k_proj.weight", "k_proj.bias")):
        tensor = tensor.unrotated(tensor.shape[0] // config.head_size)
    yield name, tensor


FAMILIES = {"DeciLMForCausalLM": Family("deci", _keys, _weights, more=llama3_factors)}
