"""GLM 4, dense and with experts, and the text side of those that see."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.families.qwen_vl import sections
from puna.convert.family import Family, Keys, Named
from puna.convert.keys import gating, moe_keys
from puna.convert.tensor import Tensor


def _moe(config: Config) -> Keys:
    return {**moe_keys(config), "expert_gating_func": gating(config, "sigmoid")}


def _solar(config: Config) -> Keys:
    """It has experts in all layers, so that no other inner width is said."""
    width = config.whole("ffn", config.whole("expert_ffn"))
    return {**_moe(config), "feed_forward_length": width, "leading_dense_block_count": 0}


def _seeing(config: Config) -> Keys:
    return {"rope.dimension_sections": sections(config, (8, 12, 12))}


def _seeing_moe(config: Config) -> Keys:
    return {**_moe(config), **_seeing(config)}


def _in_halves(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Rows that rotate neighbours, as the engine wants them for positions of several dimensions:
    the first half with the second.
    """
    for part, n_heads in (("q_proj", config.n_heads), ("k_proj", config.n_kv_heads)):
        if name.endswith((f"{part}.weight", f"{part}.bias")):
            size, turned = config.head_size, config.rotary_size
            if tensor.shape[0] != n_heads * size:
                raise tensor.bad(f"{tensor.shape[0]} rows are not those of {n_heads} heads")
            order = [*range(0, turned, 2), *range(1, turned, 2), *range(turned, size)]
            rows = [head * size + row for head in range(n_heads) for row in order]
            tensor = tensor.taken(rows)
    yield name, tensor


FAMILIES = {
    "GlmForCausalLM": Family("chatglm"),
    "Glm4ForCausalLM": Family("glm4"),
    "Glm4MoeForCausalLM": Family("glm4moe", _moe),
    "SolarOpenForCausalLM": Family("glm4moe", _solar),
    "Glm4vForConditionalGeneration": Family("glm4", _seeing, _in_halves),
    "GlmOcrForConditionalGeneration": Family("glm4", _seeing, _in_halves),
    "Glm4vMoeForConditionalGeneration": Family("glm4moe", _seeing_moe),
}
