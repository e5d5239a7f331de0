"""The table of tiny models that see or hear. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.convert.parity.cases import CASES as TEXTS
from tests.convert.parity.seeing import JANUS_QUANTIZER

__all__ = ["ENCODERS", "Case"]

_TEXT = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
_EYE = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "image_size": 56,
    "patch_size": 14,
}
_CLASS_LAST = (
    "as the engine reads it: it puts the class behind the patches, so that each patch has its "
    "neighbour's position and the first one is lost (ggml-org/llama.cpp#25814)"
)
_BY_COLUMNS = "as the engine orders it: the tokens of a tile come column by column, not row by row"
_MROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}


@dataclass(frozen=True)
class Case:
    """A model of transformers that sees, and the image it is shown: height and width in pixels.

    One with `audio` hears 30 seconds instead.
    """

    architecture: str
    config: Mapping[str, Any]
    text: Mapping[str, Any]
    vision: Mapping[str, Any] = field(default_factory=dict)
    size: tuple[int, int] = (56, 56)
    processor: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 5e-3
    plain: bool = False
    """Whether the image has one colour: what is enlarged stays the same then."""

    audio: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    """Why the original is asked for something else than what it computes by itself."""


ENCODERS: Mapping[str, Case] = {
    "audioflamingo3": Case(
        "AudioFlamingo3ForConditionalGeneration",
        {"model_type": "audioflamingo3"},
        {**_TEXT, "model_type": "qwen2"},
        audio={
            "model_type": "audioflamingo3_encoder",
            "hidden_size": 48,
            "intermediate_size": 80,
            "num_hidden_layers": 3,
            "num_attention_heads": 3,
            "num_mel_bins": 80,
        },
    ),
    "qwen2-audio": Case(
        "Qwen2AudioForConditionalGeneration",
        {"model_type": "qwen2_audio"},
        {**_TEXT, "model_type": "qwen2"},
        audio={
            "model_type": "qwen2_audio_encoder",
            "d_model": 48,
            "encoder_ffn_dim": 80,
            "encoder_layers": 3,
            "encoder_attention_heads": 3,
            "num_mel_bins": 80,
        },
    ),
    "gemma3": Case(
        "Gemma3ForConditionalGeneration",
        {"model_type": "gemma3", "mm_tokens_per_image": 4},
        {**_TEXT, "model_type": "gemma3_text", "sliding_window": 8},
        {**_EYE, "model_type": "siglip_vision_model"},
    ),
    "gemma4": Case(
        "Gemma4ForConditionalGeneration",
        {"model_type": "gemma4", "audio_config": None},
        {
            **_TEXT,
            "model_type": "gemma4_text",
            "layer_types": ["sliding_attention", "full_attention"],
            "sliding_window": 8,
            "vocab_size_per_layer_input": 320,
            "tie_word_embeddings": True,
        },
        {
            "hidden_size": 48,
            "intermediate_size": 80,
            "num_hidden_layers": 3,
            "num_attention_heads": 3,
            "num_key_value_heads": 3,
            "head_dim": 16,
            "position_embedding_size": 512,
            "use_clipped_linears": True,
            "standardize": True,
        },
        size=(336, 480),
    ),
    "llava, CLIP": Case(
        "LlavaForConditionalGeneration",
        {"model_type": "llava"},
        {**_TEXT, "model_type": "llama"},
        {**_EYE, "model_type": "clip_vision_model"},
        note=_CLASS_LAST,
    ),
    "llava, SigLIP, two layers": Case(
        "LlavaForConditionalGeneration",
        {
            "model_type": "llava",
            "vision_feature_select_strategy": "full",
            "vision_feature_layer": [1, -1],
        },
        {**_TEXT, "model_type": "qwen2"},
        {**_EYE, "model_type": "siglip_vision_model"},
    ),
    "qwen2-vl": Case(
        "Qwen2VLForConditionalGeneration",
        {"model_type": "qwen2_vl"},
        {**_TEXT, "model_type": "qwen2_vl_text", "rope_parameters": _MROPE},
        {"depth": 3, "embed_dim": 64, "num_heads": 2, "hidden_size": 64},
        size=(112, 140),
    ),
    "qwen2.5-vl": Case(
        "Qwen2_5_VLForConditionalGeneration",
        {"model_type": "qwen2_5_vl"},
        {**_TEXT, "model_type": "qwen2_5_vl_text", "rope_parameters": _MROPE},
        {
            "depth": 4,
            "hidden_size": 64,
            "intermediate_size": 80,
            "num_heads": 2,
            "out_hidden_size": 64,
            "fullatt_block_indexes": [1, 3],
        },
        size=(112, 196),
    ),
    "pixtral": Case(
        "LlavaForConditionalGeneration",
        {
            "model_type": "llava",
            "vision_feature_select_strategy": "full",
            "vision_feature_layer": -1,
        },
        {**_TEXT, "model_type": "mistral"},
        {**_EYE, "hidden_size": 48, "model_type": "pixtral", "hidden_act": "silu"},
        size=(56, 84),
    ),
    "lighton-ocr": Case(
        "LightOnOcrForConditionalGeneration",
        {"model_type": "lighton_ocr", "spatial_merge_size": 2},
        {**_TEXT, "model_type": "qwen3"},
        {**_EYE, "model_type": "pixtral", "hidden_act": "silu", "head_dim": 16},
        size=(112, 140),
        processor={"size": {"longest_edge": 140}},
    ),
    "mistral3": Case(
        "Mistral3ForConditionalGeneration",
        {"model_type": "mistral3", "spatial_merge_size": 2, "vision_feature_layer": -1},
        {**_TEXT, "model_type": "mistral"},
        {**_EYE, "model_type": "pixtral", "hidden_act": "silu"},
        size=(112, 140),
    ),
    "qwen3-vl": Case(
        "Qwen3VLForConditionalGeneration",
        {"model_type": "qwen3_vl"},
        {**_TEXT, "model_type": "qwen3_vl_text", "rope_parameters": _MROPE},
        {
            "depth": 4,
            "hidden_size": 64,
            "intermediate_size": 80,
            "num_heads": 2,
            "out_hidden_size": 64,
            "num_position_embeddings": 36,
            "deepstack_visual_indexes": [0, 2],
        },
        size=(128, 160),
    ),
    "qwen3.5": Case(
        "Qwen3_5ForConditionalGeneration",
        {"model_type": "qwen3_5"},
        {**TEXTS["qwen3.5"].config, "model_type": "qwen3_5_text"},
        {
            "depth": 3,
            "hidden_size": 64,
            "intermediate_size": 80,
            "num_heads": 2,
            "out_hidden_size": 64,
            "num_position_embeddings": 36,
        },
        size=(96, 192),
    ),
    "glm4v": Case(
        "Glm4vForConditionalGeneration",
        {"model_type": "glm4v"},
        {**_TEXT, "model_type": "glm4v_text", "rope_parameters": _MROPE},
        {
            "depth": 3,
            "hidden_size": 64,
            "intermediate_size": 80,
            "num_heads": 2,
            "out_hidden_size": 64,
            "image_size": 84,
        },
        size=(112, 140),
    ),
    "glm-ocr": Case(
        "GlmOcrForConditionalGeneration",
        {"model_type": "glm_ocr"},
        {**_TEXT, "model_type": "glm_ocr_text", "rope_parameters": _MROPE},
        {
            "depth": 3,
            "hidden_size": 64,
            "intermediate_size": 80,
            "num_heads": 2,
            "out_hidden_size": 64,
        },
        size=(112, 140),
    ),
    "llama4": Case(
        "Llama4ForConditionalGeneration",
        {"model_type": "llama4"},
        {
            **_TEXT,
            "model_type": "llama4_text",
            "num_hidden_layers": 4,  # the fourth is the first without rotation
            "intermediate_size_mlp": 96,
            "num_local_experts": 2,
            "num_experts_per_tok": 1,
        },
        {
            **_EYE,
            "hidden_size": 48,
            "num_attention_heads": 3,
            "intermediate_size": 192,
            "projector_input_dim": 72,
            "projector_output_dim": 72,
            "vision_output_dim": 72,
        },
        note=_BY_COLUMNS,
    ),
    "smolvlm": Case(
        "SmolVLMForConditionalGeneration",
        {"model_type": "smolvlm", "scale_factor": 2},
        {**_TEXT, "model_type": "llama"},
        {**_EYE, "model_type": "smolvlm_vision", "hidden_act": "gelu_pytorch_tanh"},
        processor={"size": {"longest_edge": 56}},
    ),
    "internvl": Case(
        "InternVLForConditionalGeneration",
        {"model_type": "internvl"},
        {**_TEXT, "model_type": "qwen2"},
        {
            **_EYE,
            "model_type": "internvl_vision",
            "image_size": [56, 56],
            "patch_size": [14, 14],
            "attention_bias": True,
        },
    ),
    "internvl, the makers' file": Case(
        "InternVLChatModel",
        {"model_type": "internvl"},
        {**_TEXT, "model_type": "qwen2"},
        {
            **_EYE,
            "model_type": "internvl_vision",
            "image_size": [56, 56],
            "patch_size": [14, 14],
            "attention_bias": True,
        },
    ),
    "paddleocr-vl": Case(
        "PaddleOCRVLForConditionalGeneration",
        {"model_type": "paddleocr_vl"},
        {**_TEXT, "model_type": "paddleocr_vl_text", "rope_parameters": _MROPE},
        {**_EYE, "hidden_size": 96, "image_size": 112},
        size=(112, 112),
        processor={"min_pixels": 784, "max_pixels": 1000000},
    ),
    "janus": Case(
        "JanusForConditionalGeneration",
        {
            "model_type": "janus",
            "vq_config": JANUS_QUANTIZER,
        },
        {**_TEXT, "model_type": "llama"},
        {**_EYE, "projection_dim": 64},
    ),
    "qwen3-asr": Case(
        "Qwen3ASRForConditionalGeneration",
        {"model_type": "qwen3_asr", "tie_word_embeddings": False},
        {**_TEXT, "model_type": "qwen3"},
        audio={
            "model_type": "qwen3_asr_encoder",
            "d_model": 48,
            "encoder_ffn_dim": 80,
            "encoder_layers": 2,
            "encoder_attention_heads": 3,
            "downsample_hidden_size": 16,
            "output_dim": 64,
        },
        note="eight seconds, at which it looks at a time",
    ),
    "kimi-vl": Case(
        "KimiVLForConditionalGeneration",
        {"model_type": "kimi_vl"},
        {**TEXTS["kimi-vl, text"].config, "first_k_dense_replace": 3, "rms_norm_eps": 1e-6},
        {
            **_EYE,
            "hidden_size": 64,
            "num_attention_heads": 2,
            "model_type": "moonvit",
            "init_pos_emb_height": 8,
            "init_pos_emb_width": 8,
            "merge_kernel_size": [2, 2],
        },
        size=(112, 112),
        note="at the size for which places were learned: the engine spreads them in another way",
    ),
    "dots.ocr": Case(
        "DotsOCRForCausalLM",
        {"model_type": "dots_ocr"},
        {**_TEXT, "rms_norm_eps": 1e-6},
        {
            **_EYE,
            "hidden_size": 64,
            "embed_dim": 64,
            "num_attention_heads": 2,
            "spatial_merge_size": 2,
            "temporal_patch_size": 1,
            "rms_norm_eps": 1e-5,
            "use_bias": False,
            "post_norm": True,
        },
        size=(112, 168),
        processor={"min_pixels": 784, "max_pixels": 1000000},
    ),
    "qwen2.5-omni": Case(
        "Qwen2_5OmniModel",
        {
            "model_type": "qwen2_5_omni_thinker",
            "audio_config": TEXTS["qwen2.5-omni, text"].config["audio_config"],
        },
        {**_TEXT, "rope_parameters": _MROPE},
        {
            **TEXTS["qwen2.5-omni, text"].config["vision_config"],
            "depth": 4,
            "fullatt_block_indexes": [1, 3],
        },
        size=(112, 168),
    ),
    "nemotron-vl": Case(
        "NemotronH_Nano_VL_V2",
        {
            "model_type": "NemotronH_Nano_VL_V2",
            "force_image_size": 128,
            "downsample_ratio": 0.5,
            "projector_hidden_size": 96,
        },
        TEXTS["nemotron-h"].config,
        {
            "hidden_size": 48,
            "intermediate_size": 80,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "patch_size": 16,
        },
        size=(128, 128),
    ),
    "exaone4.5": Case(
        "Exaone4_5_ForConditionalGeneration",
        {"model_type": "exaone4_5"},
        {**_TEXT, "model_type": "exaone4", "layer_types": ["full_attention"] * 2},
        {
            "depth": 4,
            "hidden_size": 64,
            "intermediate_size": 80,
            "num_heads": 4,
            "num_key_value_heads": 2,
            "out_hidden_size": 64,
            "fullatt_block_indexes": [1, 3],
        },
        size=(112, 168),
        processor={"min_pixels": 784, "max_pixels": 1000000},
    ),
    "hunyuan-vl": Case(
        "HunYuanVLForConditionalGeneration",
        {"model_type": "hunyuan_vl"},
        TEXTS["hunyuan-vl, text"].config["text_config"],
        {
            "hidden_size": 48,
            "intermediate_size": 80,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "patch_size": 16,
            "max_image_size": 128,
            "text_hidden_size": 64,
            "out_hidden_size": 64,
        },
        size=(96, 160),
        processor={"min_pixels": 784, "max_pixels": 1000000},
        note="with places spread as its maker does, by a tenth of a patch more",
    ),
    "minicpm-v 2.6": Case(
        "MiniCPMV",
        {"version": 2.6, "query_num": 16, "image_size": 448},
        {**_TEXT, "hidden_size": 256, "head_dim": 64, "rms_norm_eps": 1e-6},
        {**_EYE, "image_size": 70 * 56, "patch_size": 56},
        size=(448, 448),
    ),
    "minicpm-v 4.6": Case(
        "MiniCPMV4_6ForConditionalGeneration",
        {"model_type": "minicpmv4_6", "insert_layer_id": 1},
        {**TEXTS["qwen3.5"].config, "model_type": "qwen3_5_text"},
        {**_EYE, "image_size": 980, "insert_layer_id": 1},
        size=(448, 448),
    ),
    "deepseek-ocr": Case(
        "DeepseekOCRForCausalLM",
        {"model_type": "unlimited_ocr"},
        {
            **_TEXT,
            "num_key_value_heads": 4,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 48,
            "n_shared_experts": 1,
            "first_k_dense_replace": 1,
        },
        {
            "sam_config": {
                "hidden_size": 32,
                "mlp_dim": 128,
                "num_hidden_layers": 3,
                "num_attention_heads": 2,
                "global_attn_indexes": [2],
                "downsample_channels": [32, 48],
            },
            "encoder_config": {
                "hidden_size": 48,
                "intermediate_size": 192,
                "num_hidden_layers": 3,
                "num_attention_heads": 4,
            },
        },
        size=(640, 640),
        plain=True,
    ),
    "lfm2-vl": Case(
        "Lfm2VlForConditionalGeneration",
        {"model_type": "lfm2_vl", "projector_hidden_size": 56},
        {
            **_TEXT,
            "model_type": "lfm2",
            "layer_types": ["conv", "full_attention"],
            "block_auto_adjust_ff_dim": False,
        },
        {
            "model_type": "siglip2_vision_model",
            "hidden_size": 48,
            "intermediate_size": 80,
            "num_hidden_layers": 3,
            "num_attention_heads": 3,
            "num_patches": 256,
            "patch_size": 16,
        },
        size=(256, 320),
    ),
}
