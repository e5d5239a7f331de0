"""RWKV 6 and 7: states that fade by what the text says.

Facts: conversion spec, sections 2.2, 6.6 and 11.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named, Value
from puna.convert.keys import no_rope
from puna.convert.tensor import Tensor, stack
from puna.errors import MissingTensor

_LIMITLESS = 1 << 20
_ORDER_6, _ORDER_7 = "wkvrg", "rwkvag"  # of the shares that are mixed in of the token before

_LAYERED = r"^(model\.layers\.\d+)\."
_TURNED_7 = re.compile(r"attention\.[wavg][12]\.weight$")
_STEM = re.compile(r"^(.*\.attention\.)(?:x|time_maa)_([a-z])(?:\.weight)?$")


def _common(config: Config, head_size: int, eps: float) -> dict[str, Value | None]:
    return {
        **no_rope(),
        "context_length": _LIMITLESS,
        "attention.head_count": 0,
        "attention.head_count_kv": None,
        "attention.key_length": None,
        "attention.value_length": None,
        "attention.layer_norm_rms_epsilon": None,
        "attention.layer_norm_epsilon": eps,
        "wkv.head_size": head_size,
        "vocab_size": config.whole("vocab"),
    }


def _keys6(config: Config) -> Keys:
    width = config.whole("width")
    large = width >= 4096
    return {
        **_common(config, config.whole("head_size", 64), config.real("layer_norm_epsilon", 1e-5)),
        "feed_forward_length": config.whole("intermediate_size", int(width * 3.5) // 32 * 32),
        "rescale_every_n_layers": config.whole("rescale_every", 6),
        "time_mix_extra_dim": 64 if large else 32,
        "time_decay_extra_dim": 128 if large else 64,
    }


def _rank(config: Config, names: tuple[str, str], exponent: float, factor: float) -> int:
    """The inner width of a pair of matrices: as said, or as it follows from the model's."""
    for name in names:
        if config.has(name):
            return config.whole(name)
    natural = math.pow(config.whole("width"), exponent) * factor
    return max(1, round(natural / 32)) * 32


def _keys7(config: Config) -> Keys:
    width = config.whole("width")
    eps = config.real("layer_norm_epsilon", config.real("norm_eps", 1e-5))
    rank = "attention.{}_lora_rank".format
    return {
        **_common(config, config.whole("head_size", config.whole("head_dim", 64)), eps),
        "feed_forward_length": config.whole("intermediate_size", 4 * width),
        rank("decay"): _rank(config, ("lora_rank_decay", "decay_low_rank_dim"), 0.5, 1.8),
        rank("iclr"): _rank(config, ("lora_rank_iclr", "a_low_rank_dim"), 0.5, 1.8),
        rank("value_residual_mix"): _rank(
            config, ("lora_rank_value_residual_mix", "v_low_rank_dim"), 0.5, 1.3
        ),
        rank("gate"): _rank(config, ("lora_rank_gate", "gate_low_rank_dim"), 0.8, 0.6),
    }


def _joined(weights: Mapping[str, Tensor], order: str) -> dict[str, Tensor]:
    """The shares of a layer's attention in one tensor, under the name that the engine has."""
    joined: dict[str, Tensor] = {}
    shares: dict[str, dict[str, Tensor]] = {}
    for name, tensor in weights.items():
        found = _STEM.match(name)
        if found and found[2] in order:
            shares.setdefault(found[1], {})[found[2]] = tensor.reshaped(1, 1, -1)
        else:
            joined[name] = tensor
    for stem, parts in shares.items():
        for letter in order:
            if letter not in parts:
                file = next(iter(parts.values())).file
                raise MissingTensor(file, f"is missing (share {letter})", stem)
        joined[f"{stem}fused"] = stack([parts[letter] for letter in order])
    return joined


def _block(name: str) -> int:
    found = re.search(r"\.(\d+)\.", name)
    return int(found[1]) if found else 0


def _fused(name: str) -> str:
    return f"blk.{_block(name)}.time_mix_lerp_fused.weight"


def _join6(_config: Config, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return _joined(weights, _ORDER_6)


def _weights6(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Matrices stand the other way round, and every few layers what is added halves."""
    if name.endswith(".attention.fused"):
        yield _fused(name), tensor
        return
    if name.endswith(("time_maa_w1", "time_maa_w2", "time_decay_w1", "time_decay_w2")):
        tensor = tensor.transposed()
    elif name.endswith(("time_decay", "time_maa_x", "time_maa_k", "time_maa_r")):
        tensor = tensor.squeezed()
    every = config.whole("rescale_every", 6)
    if every and name.endswith(("attention.output.weight", "feed_forward.value.weight")):
        tensor = tensor.times(0.5 ** (_block(name) // every))
    yield name if name.endswith((".weight", ".bias")) else f"{name}.weight", tensor


def _unified(name: str) -> str:
    """The names of RWKV's own code and those of flash-linear-attention, as one."""
    name = name.replace(".blocks.", ".layers.")
    name = re.sub(_LAYERED + r"(?:attn|self_attn)\.(?:time_mixer\.)?", r"\1.attention.", name)
    name = re.sub(_LAYERED + r"ffn\.", r"\1.feed_forward.", name)
    name = re.sub(_LAYERED + r"attn_norm\.", r"\1.ln1.", name)
    name = re.sub(_LAYERED + r"ffn_norm\.", r"\1.ln2.", name)
    name = name.replace(".attention.g_norm.", ".attention.ln_x.")
    for number, part in ((1, "0.weight"), (2, "2.weight"), (0, "2.bias")):
        name = name.replace(f"_lora.lora.{part}", f"{number}.lora")
    return name


def _join7(_config: Config, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return _joined({_unified(name): tensor for name, tensor in weights.items()}, _ORDER_7)


def _weights7(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """The first layer has no share of the first values: the engine wants some all the same."""
    if name.endswith(".attention.fused"):
        yield _fused(name), tensor
        return
    if name.endswith(".attention.x_x"):  # they are together already
        yield _fused(name), tensor.reshaped(len(_ORDER_7), 1, 1, -1)
        return
    if re.search(r"\.0\.attention\.v[012]\b", name):
        return
    turned = not name.endswith(".lora")
    name = name.removesuffix(".lora")
    name = name if name.endswith((".weight", ".bias")) else f"{name}.weight"
    tensor = tensor.squeezed()
    if turned and _TURNED_7.search(name):
        tensor = tensor.transposed()
    if name.endswith(".r_k.weight"):
        tensor = tensor.reshaped(-1)
    if found := re.search(r"\.0\.attention\.a([012])\.weight$", name):
        yield f"blk.0.time_mix_v{found[1]}.weight", tensor
    yield name, tensor


_RWKV7 = Family("rwkv7", _keys7, _weights7, join=_join7)

FAMILIES = {
    "Rwkv6ForCausalLM": Family("rwkv6", _keys6, _weights6, join=_join6),
    "Rwkv7ForCausalLM": _RWKV7,
    "RWKV7ForCausalLM": _RWKV7,
}
