"""Tiny models that transformers has no class for: those that are another's twins, and those that
are computed by code of ours; and the text of some that see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.convert.parity.case import BASE, VOCAB, Case, but
from tests.convert.parity.hybrids import HYBRIDS

__all__ = ["OTHERS"]

_SEEING: Mapping[str, Any] = {
    "text_config": {
        **BASE,
        "head_dim": 16,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.5,
            "mrope_section": [1, 1, 2],
        },
    },
    "vision_config": {
        "depth": 1,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": 64,
    },
    "tie_word_embeddings": False,
}
_RWKV: Mapping[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 128,
    "intermediate_size": 224,
    "num_hidden_layers": 4,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


def _twin(architecture: str, model_type: str, twin: str, **config: Any) -> Case:
    return Case(model_type, architecture, {**BASE, **config}, twin=twin)


_ROUTED: Mapping[str, Any] = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 48,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
}
_PLAIN: Mapping[str, Any] = {
    **_ROUTED,
    "n_shared_experts": 2,
    "norm_topk_prob": False,
    "rms_norm_eps": 1e-6,
}


def _block(share: int | None, ffn: float | None, straight: bool = False) -> dict[str, Any]:
    return {
        "attention": {"n_heads_in_group": share, "replace_with_linear": straight},
        "ffn": {"ffn_mult": ffn},
    }


_QWEN, _LLAMA, _STABLE = "Qwen2ForCausalLM", "LlamaForCausalLM", "StableLmForCausalLM"

OTHERS: Mapping[str, Case] = {
    "qwen": _twin("QWenLMHeadModel", "qwen2", _QWEN, num_key_value_heads=4),
    "exaone": _twin("ExaoneForCausalLM", "llama", _LLAMA),
    "internlm2": _twin("InternLM2ForCausalLM", "llama", _LLAMA),
    "internlm3": _twin("InternLM3ForCausalLM", "llama", _LLAMA),
    "baichuan": but(
        _twin(
            "BaichuanForCausalLM",
            "llama",
            _LLAMA,
            hidden_size=32,
            num_hidden_layers=32,  # the engine knows the kind of positions by it
            num_key_value_heads=4,
        ),
        spread=1.0,  # of so many layers
    ),
    "xverse": _twin("XverseForCausalLM", "llama", _LLAMA, num_key_value_heads=4),
    "orion": _twin("OrionForCausalLM", "stablelm", _STABLE, partial_rotary_factor=1.0),
    "minicpm": _twin(
        "MiniCPMForCausalLM",
        "granite",
        "GraniteForCausalLM",
        attention_multiplier=0.25,  # the root of the heads' size, as without
        embedding_multiplier=1.5,
        residual_multiplier=0.5,
        logits_scaling=4.0,
    ),
    "ling2": _twin(
        "BailingMoeV2ForCausalLM",
        "glm4_moe",
        "Glm4MoeForCausalLM",
        **_ROUTED,
        head_dim=16,
        n_group=1,
        topk_group=1,
        use_qk_norm=True,
    ),
    "ling": Case(
        "bailing_moe",
        "BailingMoeForCausalLM",
        {
            **BASE,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 48,
            "num_shared_experts": 2,
            "first_k_dense_replace": 0,
            "norm_topk_prob": True,
            "rms_norm_eps": 1e-6,
        },
    ),
    "deepseek-moe": Case("deepseek", "DeepseekForCausalLM", {**BASE, **_PLAIN}),
    "deepseek-ocr": Case(
        "deepseek_vl_v2",
        "DeepseekOCRForCausalLM",
        {"language_config": {**BASE, **_PLAIN, "num_key_value_heads": 4, "use_mla": False}},
    ),
    "deci": Case(
        "nemotron-nas",
        "DeciLMForCausalLM",
        {
            **BASE,
            "num_hidden_layers": 5,
            "num_key_value_heads": None,
            "intermediate_size": None,
            "rms_norm_eps": 1e-6,
            "block_configs": [
                _block(2, 3.0),
                _block(4, 6.0),
                _block(None, 3.0, straight=True),
                _block(None, None),
                _block(None, 6.0),
            ],
        },
    ),
    "plamo": Case(
        "plamo",
        "PlamoForCausalLM",
        {
            **BASE,
            "num_attention_heads": 8,
            "n_shared_head": 2,
            "num_key_value_heads": 4,
            "rms_norm_eps": 1e-6,
        },
    ),
    "nemotron-vl": but(
        HYBRIDS["nemotron-h"], architecture="NemotronH_Nano_VL_V2", twin="NemotronHForCausalLM"
    ),
    "llama-embed": _twin("LlamaBidirectionalModel", "eurobert", "EuroBertModel"),
    "pangu": _twin("PanguEmbeddedForCausalLM", "llama", _LLAMA, attention_bias=True),
    "glm-ocr": Case("glm_ocr", "GlmOcrForConditionalGeneration", _SEEING),
    "glm4v": Case("glm4v", "Glm4vForConditionalGeneration", _SEEING),
    "glm4v-moe": Case(
        "glm4v_moe",
        "Glm4vMoeForConditionalGeneration",
        {
            **_SEEING,
            "text_config": {
                **_SEEING["text_config"],
                "n_routed_experts": 4,
                "num_experts_per_tok": 2,
                "moe_intermediate_size": 48,
                "n_shared_experts": 1,
                "n_group": 1,
                "topk_group": 1,
                "first_k_dense_replace": 1,
            },
        },
    ),
    "rwkv6": Case(
        "rwkv6",
        "Rwkv6ForCausalLM",
        {**_RWKV, "head_size": 64, "layer_norm_epsilon": 1e-5, "rescale_every": 2},
        tokenizer="lines",
    ),
    "rwkv7": Case(
        "rwkv7",
        "RWKV7ForCausalLM",
        {
            **_RWKV,
            "head_dim": 64,
            "norm_eps": 1e-5,
            "decay_low_rank_dim": 32,
            "a_low_rank_dim": 32,
            "v_low_rank_dim": 16,
            "gate_low_rank_dim": 48,
        },
        tokenizer="lines",
    ),
    "jina-bert-v2": Case(
        "bert",
        "JinaBertModel",
        {
            **BASE,
            "type_vocab_size": 2,
            "num_key_value_heads": 4,
            "layer_norm_eps": 1e-12,
            "feed_forward_type": "geglu",
            "position_embedding_type": "alibi",
        },
        tokenizer="words",
        tolerance=5e-3,
    ),
}
