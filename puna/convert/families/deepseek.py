"""DeepSeek 2 and 3 and what is built like them: keys and values out of one small vector."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.keys import gating, moe_keys
from puna.convert.tensor import Tensor


def _keys(config: Config) -> Keys:
    rank, rotated = config.whole("kv_lora_rank", 512), config.whole("qk_rope_head_dim")
    dense = config.n_layers if not config.has("n_routed_experts") else 0
    scale = config.rope.get("mscale_all_dim")
    return {
        **moe_keys(config),
        "attention.head_count_kv": 1,
        "attention.q_lora_rank": config.whole("q_lora_rank", 0) or None,
        "attention.kv_lora_rank": rank,
        "attention.key_length": rank + rotated,
        "attention.value_length": rank,
        "attention.key_length_mla": config.whole("qk_nope_head_dim") + rotated,
        "attention.value_length_mla": config.whole("v_head_dim"),
        "rope.dimension_count": rotated,
        "expert_feed_forward_length": config.whole("expert_ffn", config.whole("ffn")),
        "expert_shared_count": config.whole("n_shared_experts", 0),
        "leading_dense_block_count": config.whole("first_k_dense_replace", dense),
        "rope.scaling.yarn_log_multiplier": (
            None if scale is None else 0.1 * config.rope.real("mscale_all_dim")
        ),
    }


def _v2(config: Config) -> Keys:
    return {**_keys(config), "expert_gating_func": gating(config, "softmax")}


def _v3(config: Config) -> Keys:
    return {**_keys(config), "expert_gating_func": gating(config, "sigmoid")}


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """What makes keys and values of the small vector, apart, head by head, the keys'
    turned round.
    """
    if not name.endswith("kv_b_proj.weight"):
        yield name, tensor
        return
    plain, value = config.whole("qk_nope_head_dim"), config.whole("v_head_dim")
    heads = tensor.reshaped(config.n_heads, plain + value, tensor.shape[-1])
    yield name.replace("kv_b_proj", "k_b_proj"), heads.middle(0, plain).transposed()
    yield name.replace("kv_b_proj", "v_b_proj"), heads.middle(plain, plain + value)


def _dots1(config: Config) -> Keys:
    return {**moe_keys(config), "expert_gating_func": gating(config, "sigmoid")}


_V3 = Family("deepseek2", _v3, _weights, vocabulary="deepseek-v3")

FAMILIES = {
    "DeepseekForCausalLM": Family("deepseek", moe_keys, unrotate=True),
    "DeepseekV2ForCausalLM": Family("deepseek2", _v2, _weights),
    "DeepseekV3ForCausalLM": _V3,
    "Glm4MoeLiteForCausalLM": Family("deepseek2", _v3, _weights, vocabulary="glm4"),
    "Dots1ForCausalLM": Family("dots1", _dots1),
}
