"""Phi 2 to 4: projections that stay in one tensor, positions stretched by two lists of factors."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import numpy as np

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.tensor import made
from puna.errors import ConvertError

__all__ = ["FAMILIES", "long_factors", "long_keys"]


def long_keys(config: Config) -> Keys:
    """From what context positions are stretched, and by what attention is then multiplied."""
    original = config.rope.whole(
        "original_max_position_embeddings",
        config.whole("original_max_position_embeddings", config.whole("context")),
    )
    keys: dict[str, float | int] = {"rope.scaling.original_context_length": original}
    stretch = config.whole("context") / max(original, 1)
    if _is_long(config) and stretch > 1:
        keys["rope.scaling.attn_factor"] = math.sqrt(1 + math.log(stretch) / math.log(original))
    return keys


def _phi3(config: Config) -> Keys:
    keys = dict(long_keys(config))
    if config.has("window"):
        keys["attention.sliding_window"] = config.whole("window")
    return keys


def _is_long(config: Config) -> bool:
    rope = config.rope
    return rope.text_of("rope_type", rope.text_of("type")) in ("longrope", "su", "yarn")


def long_factors(config: Config, n_wanted: int) -> Iterable[Named]:
    """Two lists of so many factors, where the configuration has them."""
    if not _is_long(config):
        return
    for kind in ("long", "short"):
        factors = config.rope.items(f"{kind}_factor")
        if len(factors) != n_wanted or not all(type(factor) in (int, float) for factor in factors):
            raise ConvertError(f"config.json: '{kind}_factor' must be {n_wanted} numbers")
        yield f"rope_factors_{kind}.weight", made(np.array(factors), f"{kind}_factor")


def _factors(config: Config, _names: Collection[str]) -> Iterable[Named]:
    return long_factors(config, config.rotary_size // 2)


_PHI3 = Family("phi3", _phi3, more=_factors)

FAMILIES = {
    "PhiForCausalLM": Family("phi2"),
    "Phi3ForCausalLM": _PHI3,
    "Phi4ForCausalLMV": _PHI3,
    "PhiMoEForCausalLM": Family("phimoe", _phi3, more=_factors),
    "PhimoeForCausalLM": Family("phimoe", _phi3, more=_factors),
}
