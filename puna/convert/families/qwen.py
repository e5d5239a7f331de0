"""Qwen 2 to 3, dense and with experts."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys


def _moe(config: Config) -> Keys:
    return {
        "expert_feed_forward_length": config.whole("expert_ffn"),
        "expert_shared_feed_forward_length": config.whole("shared_expert_intermediate_size", 0)
        or None,
    }


FAMILIES = {
    "Qwen2ForCausalLM": Family("qwen2"),
    "KORMoForCausalLM": Family("qwen2"),
    "DotsOCRForCausalLM": Family("qwen2"),
    "Qwen2Model": Family("qwen2", prefix="model."),
    "Qwen2MoeForCausalLM": Family("qwen2moe", _moe),
    "Qwen3ForCausalLM": Family("qwen3"),
    "StepVLForConditionalGeneration": Family("qwen3", drop=r"^vit_large_projector\."),
    "Qwen3Model": Family("qwen3", prefix="model."),
    "Qwen3MoeForCausalLM": Family("qwen3moe", _moe),
}
