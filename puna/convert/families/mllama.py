"""Llama 3.2 Vision: Llama, between whose layers others look at an image. The engine has none of
those; without an image the original passes over them, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from puna.convert.config import Config
from puna.convert.family import Family, Named
from puna.convert.keys import llama3_factors
from puna.convert.tensor import Tensor

_LAYER = re.compile(r"^(model\.layers\.)(\d+)(\..+)$")


def _looking(config: Config) -> frozenset[int]:
    """The layers that look at an image."""
    layers = config.items("cross_attention_layers")
    if not all(type(layer) is int and 0 <= layer < config.n_layers for layer in layers):
        raise config.bad("cross_attention_layers", layers, "numbers of layers")
    return frozenset(layers)


def _n_blocks(config: Config) -> int:
    return config.n_layers - len(_looking(config))


def _without(config: Config, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The others, numbered one after the other."""
    looking = _looking(config)
    others = [layer for layer in range(config.n_layers) if layer not in looking]
    numbers = {layer: number for number, layer in enumerate(others)}
    kept: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        found = _LAYER.match(name)
        if not found:
            kept[name] = tensor
        elif int(found[2]) not in looking:
            number = numbers.get(int(found[2]), int(found[2]))
            kept[f"{found[1]}{number}{found[3]}"] = tensor
    return kept


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Behind the vocabulary are the rows of tokens that only stand for images."""
    if name == "model.embed_tokens.weight" and tensor.shape[0] > config.whole("vocab"):
        tensor = tensor.rows(0, config.whole("vocab"))
    yield name, tensor


_MLLAMA = Family(
    "llama",
    weights=_weights,
    join=_without,
    unrotate=True,
    more=llama3_factors,
    n_blocks=_n_blocks,
    drop=r"^multi_modal_projector\.",
)

FAMILIES = {"MllamaForConditionalGeneration": _MLLAMA, "MllamaForCausalLM": _MLLAMA}
