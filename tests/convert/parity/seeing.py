"""The text of checkpoints that see or hear: converted whole, asked about texts alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.convert.parity.case import BASE, WINDOW, Case, but

__all__ = ["JANUS_QUANTIZER", "SEEING"]

JANUS_QUANTIZER: Mapping[str, Any] = {
    "base_channels": 32,
    "channel_multiplier": [1, 1],
    "num_res_blocks": 1,
    "embed_dim": 8,
    "num_embeddings": 16,
    "latent_channels": 32,
    "num_patches": 4,
    "projection_dim": 64,
    "image_token_embed_dim": 64,
}
"""Of the images that Janus makes, which conversion leaves out."""

_EYE: Mapping[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 56,
    "patch_size": 14,
}
_QWEN_EYE: Mapping[str, Any] = {
    "depth": 2,
    "hidden_size": 64,
    "intermediate_size": 80,
    "num_heads": 2,
    "out_hidden_size": 64,
}
_DEEP: Mapping[str, Any] = {
    **_QWEN_EYE,
    "num_position_embeddings": 36,
    "deepstack_visual_indexes": [0, 1],
}
_MROPE: Mapping[str, Any] = {
    "rope_type": "default",
    "rope_theta": 10000.0,
    "mrope_section": [3, 3, 2],
}
_QWEN2: Mapping[str, Any] = {
    "rope_parameters": _MROPE,
    "rms_norm_eps": 1e-12,  # the engine reads none for this architecture
}
_MOE: Mapping[str, Any] = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 48,
    "norm_topk_prob": True,
}


def _case(
    model_type: str,
    architecture: str,
    text: Mapping[str, Any],
    vision: Mapping[str, Any],
    **config: Any,
) -> Case:
    parts = {
        "text_config": {**BASE, "head_dim": 16, **text},
        "vision_config": vision,
        "tie_word_embeddings": False,
    }
    return Case(model_type, architecture, {**parts, **config}, tokenizer="images")


SEEING: Mapping[str, Case] = {
    "gemma3, text": _case(
        "gemma3",
        "Gemma3ForConditionalGeneration",
        {
            "model_type": "gemma3_text",
            "query_pre_attn_scalar": 16,
            "num_hidden_layers": 7,
            "sliding_window": WINDOW,
            "tie_word_embeddings": True,
        },
        {**_EYE, "model_type": "siglip_vision_model"},
        mm_tokens_per_image=4,
        tie_word_embeddings=True,
    ),
    "llama3.2-vision, text": _case(
        "mllama",
        "MllamaForConditionalGeneration",
        {
            "model_type": "mllama_text_model",
            "num_hidden_layers": 5,
            "cross_attention_layers": [1, 3],
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
        },
        {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 1,
            "num_global_layers": 1,
            "attention_heads": 2,
            "vision_output_dim": 64,
            "intermediate_layers_indices": [0],
            "image_size": 56,
            "patch_size": 14,
            "supported_aspect_ratios": [[1, 1]],
        },
    ),
    "mistral3, text": _case(
        "mistral3",
        "Mistral3ForConditionalGeneration",
        {"model_type": "mistral", "sliding_window": None},
        {**_EYE, "model_type": "pixtral", "hidden_act": "silu"},
        spatial_merge_size=2,
        vision_feature_layer=-1,
    ),
    "llama4, text": _case(
        "llama4",
        "Llama4ForConditionalGeneration",
        {
            "model_type": "llama4_text",
            "num_hidden_layers": 4,
            "intermediate_size": 48,
            "intermediate_size_mlp": 96,
            "num_local_experts": 4,
            "num_experts_per_tok": 1,
            "interleave_moe_layer_step": 2,
            "attention_chunk_size": 8192,
        },
        {
            **_EYE,
            "intermediate_size": 192,
            "projector_input_dim": 72,
            "projector_output_dim": 72,
            "vision_output_dim": 72,
        },
    ),
    "qwen2-vl, text": _case(
        "qwen2_vl",
        "Qwen2VLForConditionalGeneration",
        {"model_type": "qwen2_vl_text", **_QWEN2},
        {"depth": 2, "embed_dim": 64, "num_heads": 2, "hidden_size": 64},
    ),
    "qwen2.5-vl, text": _case(
        "qwen2_5_vl",
        "Qwen2_5_VLForConditionalGeneration",
        {"model_type": "qwen2_5_vl_text", **_QWEN2},
        {**_QWEN_EYE, "fullatt_block_indexes": [1]},
    ),
    "qwen3-vl, text": _case(
        "qwen3_vl",
        "Qwen3VLForConditionalGeneration",
        {"model_type": "qwen3_vl_text", "rope_parameters": _MROPE},
        _DEEP,
    ),
    "qwen3-vl with experts, text": _case(
        "qwen3_vl_moe",
        "Qwen3VLMoeForConditionalGeneration",
        {"model_type": "qwen3_vl_moe_text", "rope_parameters": _MROPE, **_MOE},
        _DEEP,
    ),
    "lfm2-vl, text": _case(
        "lfm2_vl",
        "Lfm2VlForConditionalGeneration",
        {
            "model_type": "lfm2",
            "layer_types": ["conv", "full_attention", "conv"],
            "block_auto_adjust_ff_dim": False,
            "tie_word_embeddings": True,
        },
        {
            "model_type": "siglip2_vision_model",
            "hidden_size": 48,
            "intermediate_size": 80,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "num_patches": 256,
            "patch_size": 16,
        },
        projector_hidden_size=56,
        tie_word_embeddings=True,
    ),
    "llava, text": _case(
        "llava",
        "LlavaForConditionalGeneration",
        {"model_type": "llama"},
        {**_EYE, "model_type": "clip_vision_model"},
    ),
    "smolvlm, text": _case(
        "smolvlm",
        "SmolVLMForConditionalGeneration",
        {"model_type": "llama"},
        {**_EYE, "model_type": "smolvlm_vision", "hidden_act": "gelu_pytorch_tanh"},
        scale_factor=2,
    ),
    "internvl, text": _case(
        "internvl",
        "InternVLForConditionalGeneration",
        {"model_type": "qwen3"},
        {**_EYE, "model_type": "internvl_vision", "image_size": [56, 56], "patch_size": [14, 14]},
    ),
    "gemma4-unified, text": but(
        _case(
            "gemma4_unified",
            "Gemma4UnifiedForConditionalGeneration",
            {
                "model_type": "gemma4_unified_text",
                "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
                "global_head_dim": 32,
                "sliding_window": WINDOW,
                "tie_word_embeddings": True,
            },
            {"mm_embed_dim": 64, "patch_size": 4, "mm_posemb_size": 32},
            audio_config={"audio_embed_dim": 32},
            tie_word_embeddings=True,
        ),
        spread=0.5,
        tolerance=1e-2,
    ),
    "exaone4.5, text": _case(
        "exaone4_5",
        "Exaone4_5_ForConditionalGeneration",
        {"model_type": "exaone4", "sliding_window": None, "layer_types": ["full_attention"] * 3},
        {
            **_QWEN_EYE,
            "hidden_size": 48,
            "num_heads": 4,
            "num_key_value_heads": 2,
            "fullatt_block_indexes": [1],
        },
    ),
    "paddleocr-vl, text": _case(
        "paddleocr_vl",
        "PaddleOCRVLForConditionalGeneration",
        {"rope_parameters": _MROPE},
        {
            "hidden_size": 48,
            "intermediate_size": 80,
            "num_hidden_layers": 1,
            "num_attention_heads": 3,
        },
    ),
    "hunyuan-vl, text": but(
        _case(
            "hunyuan_vl",
            "HunYuanVLForConditionalGeneration",
            {
                "rope_parameters": {
                    "rope_type": "dynamic",
                    "rope_theta": 10000.0,
                    "alpha": 50.0,
                    "factor": 1.0,
                    "mrope_section": [2, 2, 2, 2],
                }
            },
            {
                "hidden_size": 48,
                "intermediate_size": 80,
                "num_hidden_layers": 1,
                "num_attention_heads": 3,
                "num_key_value_heads": 3,
                "text_hidden_size": 64,
            },
        ),
        note="the engine leaves the fourth axis of positions at 0 in texts",
    ),
    "janus, text": _case(
        "janus",
        "JanusForConditionalGeneration",
        {"model_type": "llama"},
        {**_EYE, "projection_dim": 64},
        vq_config=JANUS_QUANTIZER,
    ),
    "minicpm-v 4.6, text": _case(
        "minicpmv4_6",
        "MiniCPMV4_6ForConditionalGeneration",
        {
            "model_type": "qwen3_5_text",
            "head_dim": 64,
            "num_hidden_layers": 2,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "linear_key_head_dim": 16,
            "linear_value_head_dim": 16,
            "linear_conv_kernel_dim": 4,
            "layer_types": ["linear_attention", "full_attention"],
        },
        {**_EYE, "image_size": 980, "insert_layer_id": 0},
        insert_layer_id=0,
    ),
    "qwen3-asr, text": _case(
        "qwen3_asr",
        "Qwen3ASRForConditionalGeneration",
        {"model_type": "qwen3"},
        {},
        audio_config={
            "model_type": "qwen3_asr_encoder",
            "d_model": 32,
            "encoder_ffn_dim": 64,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "downsample_hidden_size": 8,
            "output_dim": 64,
        },
    ),
    "voxtral, text": _case(
        "voxtral",
        "VoxtralForConditionalGeneration",
        {"model_type": "llama"},
        {},
        audio_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        },
    ),
    "audioflamingo3, text": _case(
        "audioflamingo3",
        "AudioFlamingo3ForConditionalGeneration",
        {"model_type": "qwen2"},
        {},
        audio_config={
            "model_type": "audioflamingo3_encoder",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        },
    ),
    "qwen2-audio, text": _case(
        "qwen2_audio",
        "Qwen2AudioForConditionalGeneration",
        {"model_type": "qwen2"},
        {},
        audio_config={
            "d_model": 32,
            "encoder_ffn_dim": 64,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
        },
    ),
}
