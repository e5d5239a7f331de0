"""What `transformers` assumes where a checkpoint's nested configuration says nothing: it leaves out
what is as its classes have it.

Facts: the defaults of the configuration classes, by their `model_type`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["assumed"]

_IDEFICS3 = {
    "hidden_size": 1152,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
}

_DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "llama": {
            "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008,
            "num_hidden_layers": 32, "num_attention_heads": 32, "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-6,
        },
        "mistral": {
            "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "max_position_embeddings": 131072, "rms_norm_eps": 1e-6,
        },
        "qwen2": {
            "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
            "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        },
        "gemma3_text": {
            "vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216,
            "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4,
            "head_dim": 256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6,
            "rope_theta": 1e6, "rope_local_base_freq": 1e4, "sliding_window": 4096,
        },
        "clip_vision_model": {
            "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
            "num_attention_heads": 12, "image_size": 224, "patch_size": 32,
            "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
        },
        "audioflamingo3_encoder": {
            "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32,
            "num_attention_heads": 20, "num_mel_bins": 128, "max_source_positions": 1500,
            "activation_function": "gelu",
        },
        "qwen3_asr_encoder": {
            "d_model": 1024, "encoder_ffn_dim": 4096, "encoder_layers": 24,
            "encoder_attention_heads": 16, "num_mel_bins": 128, "activation_function": "gelu",
            "n_window": 50, "downsample_hidden_size": 480,
        },
        "qwen2_audio_encoder": {
            "d_model": 1280, "encoder_ffn_dim": 5120, "encoder_layers": 32,
            "encoder_attention_heads": 20, "num_mel_bins": 128, "max_source_positions": 1500,
            "activation_function": "gelu",
        },
        "siglip_vision_model": {
            "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
            "num_attention_heads": 12, "image_size": 224, "patch_size": 16,
            "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6,
        },
        "pixtral": {
            "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
            "num_attention_heads": 16, "image_size": 1024, "patch_size": 16,
            "hidden_act": "gelu", "rope_theta": 1e4,
        },
        "smolvlm": _IDEFICS3,
        "idefics3": _IDEFICS3,
        "internvl": {
            "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
            "num_attention_heads": 16, "image_size": [448, 448], "patch_size": [14, 14],
            "hidden_act": "gelu", "layer_norm_eps": 1e-6,
        },
        "qwen3": {
            "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
            "head_dim": 128, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        },
        "qwen2_vl": {
            "depth": 32, "embed_dim": 1280, "hidden_size": 3584, "hidden_act": "quick_gelu",
            "mlp_ratio": 4, "num_heads": 16, "patch_size": 14, "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        "qwen2_5_vl": {
            "depth": 32, "hidden_size": 3584, "intermediate_size": 3420, "hidden_act": "silu",
            "num_heads": 16, "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
            "window_size": 112, "out_hidden_size": 3584, "fullatt_block_indexes": [7, 15, 23, 31],
        },
        "qwen3_vl": {
            "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16,
            "hidden_act": "gelu_pytorch_tanh", "patch_size": 16, "spatial_merge_size": 2,
            "temporal_patch_size": 2, "out_hidden_size": 3584, "num_position_embeddings": 2304,
            "deepstack_visual_indexes": [8, 16, 24],
        },
        "qwen3_5": {
            "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16,
            "hidden_act": "gelu_pytorch_tanh", "patch_size": 16, "spatial_merge_size": 2,
            "temporal_patch_size": 2, "out_hidden_size": 3584, "num_position_embeddings": 2304,
        },
        "glm4v": {
            "depth": 24, "hidden_size": 1536, "intermediate_size": 13696, "num_heads": 12,
            "hidden_act": "silu", "attention_bias": False, "image_size": 336, "patch_size": 14,
            "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 4096,
            "rms_norm_eps": 1e-5,
        },
        "glm_ocr": {
            "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16,
            "hidden_act": "silu", "attention_bias": True, "image_size": 336, "patch_size": 14,
            "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 1536,
            "rms_norm_eps": 1e-5,
        },
        "glm4v_text": {
            "vocab_size": 151552, "hidden_size": 4096, "intermediate_size": 13696,
            "num_hidden_layers": 40, "num_attention_heads": 32, "num_key_value_heads": 2,
            "max_position_embeddings": 32768, "rms_norm_eps": 1e-5,
        },
        "glm_ocr_text": {
            "vocab_size": 59392, "hidden_size": 1024, "intermediate_size": 4096,
            "num_hidden_layers": 16, "num_attention_heads": 16, "num_key_value_heads": 8,
            "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
        },
        "llama4_vision_model": {
            "hidden_size": 768, "intermediate_size": 5632, "num_hidden_layers": 34,
            "num_attention_heads": 16, "image_size": 448, "patch_size": 14, "hidden_act": "gelu",
            "norm_eps": 1e-5, "pixel_shuffle_ratio": 0.5, "vision_output_dim": 7680,
            "projector_input_dim": 4096, "projector_output_dim": 4096,
        },
        "janus_vision_model": {
            "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
            "image_size": 384, "patch_size": 16, "hidden_act": "gelu", "layer_norm_eps": 1e-6,
            "mlp_ratio": 4.0, "projection_dim": 2048, "depth": 2,
        },
        "siglip2_vision_model": {
            "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
            "num_attention_heads": 12, "num_patches": 256, "patch_size": 16,
            "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6,
        },
    }
)  # fmt: skip


def assumed(part: Mapping[str, Any], model_type: str = "") -> Mapping[str, Any]:
    """The defaults of a nested configuration, by its own `model_type` or else the one given."""
    name = part.get("model_type", model_type)
    return _DEFAULTS.get(name.removesuffix("_vision"), {}) if isinstance(name, str) else {}
