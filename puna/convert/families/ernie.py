"""ERNIE 4.5, dense and with experts."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.families.qwen_vl import sections
from puna.convert.family import Family, Keys


def _moe(config: Config) -> Keys:
    first, shared = (
        config.whole("moe_layer_start_index", 0),
        config.whole("moe_num_shared_experts", 0),
    )
    width = config.whole("moe_intermediate_size")
    return {
        "expert_feed_forward_length": width,
        "interleave_moe_layer_step": config.whole("moe_layer_interval", 1),
        "leading_dense_block_count": first,
        "expert_shared_count": shared,
        "expert_shared_feed_forward_length": width * shared or None,
    }


def _seeing(config: Config) -> Keys:
    return {"rope.dimension_sections": sections(config, (16, 24, 24))}


_DENSE = Family("ernie4_5")

FAMILIES = {
    "Ernie4_5ForCausalLM": _DENSE,
    "Ernie4_5_ForCausalLM": _DENSE,
    "PaddleOCRVLForConditionalGeneration": Family("paddleocr", _seeing),
    "Ernie4_5_MoeForCausalLM": Family("ernie4_5-moe", _moe, drop=r"^mtp_|\.mtp_"),
}
