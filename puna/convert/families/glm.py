"""GLM 4, dense and with experts."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys
from puna.convert.keys import gating, moe_keys


def _moe(config: Config) -> Keys:
    return {**moe_keys(config), "expert_gating_func": gating(config, "sigmoid")}


FAMILIES = {
    "GlmForCausalLM": Family("chatglm"),
    "Glm4ForCausalLM": Family("glm4"),
    "Glm4MoeForCausalLM": Family("glm4moe", _moe),
}
