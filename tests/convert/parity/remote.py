"""Tiny models of makers whose code comes with their weights, or whose text model is another's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.convert.parity.case import BASE, MLA, Case

__all__ = ["REMOTE"]

_SMALL: Mapping[str, Any] = {
    **BASE,
    "num_hidden_layers": 5,
    "head_dim": 16,
    "moe_num_primary_experts": 4,
    "moe_num_active_primary_experts": 2,
    "moe_ffn_hidden_size": 48,
    "rms_norm_eps": 1e-6,
}
_LAYOUT = [0, 1, 1, 1, 0]
_PLAIN: Mapping[str, Any] = {**BASE, "rms_norm_eps": 1e-6}
_TIED: Mapping[str, Any] = {**_PLAIN, "tie_word_embeddings": True}

_MLA: Mapping[str, Any] = {
    **MLA,
    "n_routed_experts": 4,
    "num_experts_per_tok": 4,  # all: F16 would move a close choice
    "moe_intermediate_size": 48,
    "n_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "rope_interleave": True,
}


_NEOBERT: Mapping[str, Any] = {
    "vocab_size": BASE["vocab_size"],
    "hidden_size": 64,
    "intermediate_size": 100,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_length": 256,
    "norm_eps": 1e-6,
    "pad_token_id": 0,
}


def _twin(architecture: str, model_type: str, twin: str, **config: Any) -> Case:
    return Case(model_type, architecture, {**BASE, **config}, twin=twin)


REMOTE: Mapping[str, Case] = {
    "smallthinker": Case(
        "smallthinker",
        "SmallThinkerForCausalLM",
        {
            **_SMALL,
            "moe_primary_router_apply_softmax": False,
            "sliding_window_size": 4096,
            "sliding_window_layout": _LAYOUT,
            "rope_layout": _LAYOUT,
        },
    ),
    "smallthinker, softmax": Case(
        "smallthinker",
        "SmallThinkerForCausalLM",
        {
            **_SMALL,
            "moe_primary_router_apply_softmax": True,
            "moe_num_active_primary_experts": 4,  # all: F16 would move a close choice
            "num_hidden_layers": 3,
            "sliding_window_layout": [0] * 3,
            "rope_layout": [1] * 3,
        },
    ),
    "plm": Case(
        "plm",
        "PLMForCausalLM",
        {
            **_TIED,
            "num_key_value_heads": 4,
            "kv_lora_rank": 64,
            "qk_nope_head_dim": 16,
            "qk_rope_head_dim": 8,
            "v_head_dim": 16,
        },
    ),
    "openelm": Case(
        "openelm",
        "OpenELMForCausalLM",
        {
            "vocab_size": BASE["vocab_size"],
            "model_dim": 64,
            "num_transformer_layers": 3,
            "head_dim": 16,
            "num_query_heads": [4, 4, 8],
            "num_kv_heads": [1, 2, 2],
            "ffn_multipliers": [0.5, 1.3, 2.0],
            "ffn_dim_divisor": 32,
            "ffn_with_glu": True,
            "normalize_qk_projections": True,
            "share_input_output_layers": True,
            "max_context_length": 256,
            "rope_freq_constant": 10000,
            "bos_token_id": 0,
            "eos_token_id": 1,
        },
    ),
    "arctic": Case(
        "arctic",
        "ArcticForCausalLM",
        {
            **_PLAIN,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "parallel_attn_mlp_res": True,
            "moe_layer_frequency": 1,
        },
    ),
    "maincoder": Case("maincoder", "MaincoderForCausalLM", _PLAIN),
    "nanbeige": Case(
        "nanbeige", "NanbeigeForCausalLM", {**_PLAIN, "num_loops": 2, "skip_loop_final_norm": False}
    ),
    "bitnet": Case("bitnet", "BitnetForCausalLM", {**_TIED, "num_key_value_heads": 4}),
    "neobert": Case("neobert", "NeoBERT", _NEOBERT, tokenizer="words"),
    "neobert, scores": Case(
        "neobert",
        "NeoBERTForSequenceClassification",
        {**_NEOBERT, "num_labels": 3},
        tokenizer="words",
        scores=True,
    ),
    "qwen2.5-omni, text": Case(
        "qwen2_5_omni_thinker",
        "Qwen2_5OmniModel",
        {
            "text_config": {
                **BASE,
                "rms_norm_eps": 1e-12,  # the engine reads none for this architecture
                "rope_parameters": {
                    "rope_type": "default",
                    "rope_theta": 10000.0,
                    "mrope_section": [3, 3, 2],
                },
            },
            "vision_config": {
                "depth": 2,
                "hidden_size": 64,
                "intermediate_size": 80,
                "num_heads": 2,
                "out_hidden_size": 64,
                "fullatt_block_indexes": [1],
            },
            "audio_config": {
                "d_model": 32,
                "encoder_ffn_dim": 64,
                "encoder_layers": 1,
                "encoder_attention_heads": 2,
                "output_dim": 64,
            },
        },
        tokenizer="images",
        twin="Qwen2_5OmniThinkerForConditionalGeneration",
    ),
    "kormo": _twin("KORMoForCausalLM", "llama", "LlamaForCausalLM"),
    "chatglm": _twin("ChatGLMModel", "glm", "GlmForCausalLM", head_dim=16, attention_bias=True),
    "dots.ocr, text": _twin("DotsOCRForCausalLM", "qwen2", "Qwen2ForCausalLM"),
    "sarashina-vision, text": _twin("Sarashina2VisionForCausalLM", "llama", "LlamaForCausalLM"),
    "phi4-vision, text": _twin(
        "Phi4ForCausalLMV", "phi3", "Phi3ForCausalLM", partial_rotary_factor=0.5
    ),
    "step3-vl, text": _twin("StepVLForConditionalGeneration", "qwen3", "Qwen3ForCausalLM"),
    "jina-v5": _twin("JinaEmbeddingsV5Model", "eurobert", "EuroBertModel"),
    "kimi-vl, text": _twin(
        "KimiVLForConditionalGeneration", "deepseek_v3", "DeepseekV3ForCausalLM", **_MLA
    ),
    "youtu-vl, text": _twin(
        "YoutuVLForConditionalGeneration", "deepseek_v3", "DeepseekV3ForCausalLM", **_MLA
    ),
    "minicpm-v 2.6, text": _twin("MiniCPMV", "qwen2", "Qwen2ForCausalLM"),
    "minicpm-v 4, text": _twin(
        "MiniCPMV",
        "llama",
        "LlamaForCausalLM",
        original_max_position_embeddings=32,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 10000.0,
            "original_max_position_embeddings": 32,
            "factor": 8.0,
            "long_factor": [1.0, 1.1, 1.3, 1.7, 2.3, 3.1, 4.0, 5.0],
            "short_factor": [1.0] * 8,
        },
    ),
    "minicpm-v 4.5, text": _twin("MiniCPMV", "qwen3", "Qwen3ForCausalLM", head_dim=32),
    "lfm2, vectors": Case(
        "lfm2",
        "Lfm2Model",
        {
            **BASE,
            "layer_types": ["conv", "full_attention", "conv"],
            "tie_word_embeddings": True,
        },
        dense=(48,),
        whole=True,
    ),
}
