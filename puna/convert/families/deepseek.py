"""DeepSeek 2 and 3 and what is built like them: keys and values out of one small vector."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.families.qwen_vl import packed_experts
from puna.convert.family import Family, Keys, Named, Value, moved
from puna.convert.keys import gating, latent_keys, moe_keys
from puna.convert.tensor import Tensor

__all__ = ["FAMILIES", "heads_apart"]


def _keys(config: Config) -> Keys:
    dense = config.n_layers if not config.has("n_routed_experts") else 0
    scale = config.rope.get("mscale_all_dim")
    return {
        **moe_keys(config),
        "attention.head_count_kv": 1,
        **latent_keys(config, config.whole("kv_lora_rank", 512)),
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


def heads_apart(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
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


_indexer = moved(
    {
        "indexer.k_norm.weight": "indexer.k_norm.weight",
        "indexer.k_norm.bias": "indexer.k_norm.bias",
        "indexer.weights_proj.weight": "indexer.proj.weight",
        "indexer.wk.weight": "indexer.attn_k.weight",
        "indexer.wq_b.weight": "indexer.attn_q_b.weight",
    }
)


def _sparse(config: Config) -> Keys:
    """What finds the tokens that attention looks at."""
    return {
        **_v3(config),
        "attention.indexer.head_count": config.whole("index_n_heads"),
        "attention.indexer.key_length": config.whole("index_head_dim"),
        "attention.indexer.top_k": config.whole("index_topk"),
    }


def _glm_sparse(config: Config) -> Keys:
    """Layers may go by what one before them found."""
    kinds = config.items("indexer_types")
    types = [int(kind == "full") for kind in kinds] or [1] * config.n_layers
    return {**_sparse(config), "attention.indexer.types": types}


def _sparse_weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    for part, values in heads_apart(config, name, tensor):
        yield from _indexer(config, part, values)


def _mistral4(config: Config) -> Keys:
    """Its router goes by softmax, its attention grows sharper with the position."""
    keys: dict[str, Value | None] = {**_v2(config)}
    if config.rope.has("llama_4_scaling_beta"):
        keys["attention.temperature_scale"] = config.rope.real("llama_4_scaling_beta")
        keys["attention.temperature_length"] = config.rope.whole("original_max_position_embeddings")
    return keys


def _packed(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith("experts.gate_up_proj"):
        yield from packed_experts(name, tensor)
    elif name.endswith("experts.down_proj"):
        yield f"{name}.weight", tensor
    else:
        yield from heads_apart(config, name, tensor)


def _dots1(config: Config) -> Keys:
    return {**moe_keys(config), "expert_gating_func": gating(config, "sigmoid")}


def _plain(config: Config) -> Keys:
    if config.flag("norm_topk_prob"):
        raise config.bad(
            "norm_topk_prob", True, "false: the engine takes experts' shares as they are"
        )
    return moe_keys(config)


def _reading(config: Config) -> Keys:
    """The text side of DeepSeek-OCR: DeepSeek 2 with attention of the usual kind."""
    if config.flag("use_mla"):
        raise config.bad("use_mla", True, "false")
    return {
        **moe_keys(config),
        "attention.layer_norm_rms_epsilon": config.real("rms_eps", 1e-6),
        "expert_gating_func": gating(config, "softmax"),
        "rope.dimension_count": config.head_size,
        "attention.key_length": None,
        "attention.value_length": None,
    }


_ENCODERS = (
    r"(?:^|\.)(?:sam_model|qwen2_model|vision_model|projector)\.|image_newline|view_seperator"
)
_READING = Family("deepseek2-ocr", _reading, drop=_ENCODERS)
_V3 = Family("deepseek2", _v3, heads_apart, vocabulary="deepseek-v3")

FAMILIES = {
    "DeepseekForCausalLM": Family("deepseek", _plain, unrotate=True),
    "DeepseekV2ForCausalLM": Family("deepseek2", _v2, heads_apart),
    "DeepseekV3ForCausalLM": _V3,
    "Glm4MoeLiteForCausalLM": Family("deepseek2", _v3, heads_apart, vocabulary="glm4"),
    "DeepseekV32ForCausalLM": Family(
        "deepseek32", _sparse, _sparse_weights, vocabulary="deepseek-v3"
    ),
    "GlmMoeDsaForCausalLM": Family("glm-dsa", _glm_sparse, _sparse_weights, vocabulary="glm4"),
    "Mistral4ForCausalLM": Family("mistral4", _mistral4, _packed),
    "KimiVLForConditionalGeneration": _V3,
    "KimiK25ForConditionalGeneration": _V3,
    "YoutuVLForConditionalGeneration": Family("deepseek2", _v3, heads_apart),
    "YoutuForCausalLM": Family("deepseek2", _v3, heads_apart),
    "DeepseekOCRForCausalLM": _READING,
    "DeepseekOCR2ForCausalLM": _READING,
    "UnlimitedOCRForCausalLM": _READING,
    "Dots1ForCausalLM": Family("dots1", _dots1),
}
