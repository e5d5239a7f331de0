"""Tiny checkpoints of models that see, as Hugging Face's libraries write them, without those
libraries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes import sighted_weights
from tests.fakes.checkpoints import LLAMA, write_safetensors, write_tokenizer
from tests.fakes.sighted_weights import FFN, LAYERS, PATCH, TEXT, WIDTH, Weights

__all__ = ["BREAK", "CHECKPOINTS", "Sighted"]

BREAK = 270
"""The id of the token that Pixtral has between the rows of an image."""

_VISION = {
    "hidden_size": WIDTH,
    "intermediate_size": FFN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "image_size": 56,
    "patch_size": PATCH,
}
_NESTED = {key: value for key, value in LLAMA.items() if key != "architectures"}


@dataclass(frozen=True)
class Sighted:
    """A checkpoint: its weights, its configuration, how many tokens it makes of an image of `size`,
    which is width and height in pixels, and how many values each of them has.
    """

    weights: Callable[[], Weights]
    config: Mapping[str, Any]
    tokens: int
    width: int = TEXT
    size: tuple[int, int] = (56, 56)

    def write(self, folder: Path, weights: Weights | None = None) -> Path:
        """The folder, with other weights where they are given."""
        folder.mkdir(parents=True, exist_ok=True)
        write_safetensors(folder / "model.safetensors", weights or self.weights())
        (folder / "config.json").write_text(json.dumps(self.config))
        write_tokenizer(folder)
        state = json.loads((folder / "tokenizer.json").read_text())
        state["added_tokens"].append({"id": BREAK, "content": "[IMG_BREAK]", "special": True})
        (folder / "tokenizer.json").write_text(json.dumps(state))
        return folder


CHECKPOINTS: Mapping[str, Sighted] = {
    "gemma3": Sighted(
        sighted_weights.gemma3,
        {
            "architectures": ["Gemma3ForConditionalGeneration"],
            "model_type": "gemma3",
            "mm_tokens_per_image": 4,
            "text_config": {
                **_NESTED,
                "model_type": "gemma3_text",
                "head_dim": 8,
                "sliding_window": 16,
            },
            "vision_config": {**_VISION, "model_type": "siglip_vision_model"},
        },
        4,
    ),
    "llava": Sighted(
        sighted_weights.llava,
        {
            "architectures": ["LlavaForConditionalGeneration"],
            "model_type": "llava",
            "text_config": {**_NESTED, "model_type": "llama"},
            "vision_config": {**_VISION, "model_type": "clip_vision_model"},
        },
        16,
    ),
    "qwen2.5-vl": Sighted(
        sighted_weights.qwen25,
        {
            **_NESTED,
            "architectures": ["Qwen2_5_VLForConditionalGeneration"],
            "model_type": "qwen2_5_vl",
            "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
            "vision_config": {
                "depth": LAYERS,
                "hidden_size": WIDTH,
                "intermediate_size": FFN,
                "num_heads": 2,
                "out_hidden_size": TEXT,
                "fullatt_block_indexes": [1],
            },
        },
        9,  # an image is made as large as eight tokens
    ),
    "mistral3": Sighted(
        sighted_weights.mistral3,
        {
            "architectures": ["Mistral3ForConditionalGeneration"],
            "model_type": "mistral3",
            "spatial_merge_size": 2,
            "text_config": {**_NESTED, "model_type": "mistral"},
            "vision_config": {**_VISION, "model_type": "pixtral", "hidden_act": "silu"},
        },
        12,
        size=(336, 28),  # between rows stands what the engine's memory has
    ),
    "qwen3-vl": Sighted(
        sighted_weights.qwen3,
        {
            "architectures": ["Qwen3VLForConditionalGeneration"],
            "model_type": "qwen3_vl",
            "text_config": {**_NESTED, "rope_scaling": {"mrope_section": [1, 1, 2]}},
            "vision_config": {
                "depth": LAYERS,
                "hidden_size": WIDTH,
                "intermediate_size": FFN,
                "num_heads": 2,
                "patch_size": PATCH,
                "out_hidden_size": TEXT,
                "num_position_embeddings": 16,
                "deepstack_visual_indexes": [1],
            },
        },
        9,
        width=2 * TEXT,  # for the text model's first block, too
    ),
    "lfm2-vl": Sighted(
        sighted_weights.lfm2,
        {
            "architectures": ["Lfm2VlForConditionalGeneration"],
            "model_type": "lfm2_vl",
            "projector_hidden_size": FFN,
            "text_config": {
                **_NESTED,
                "model_type": "lfm2",
                "layer_types": ["conv", "full_attention"],
                "conv_L_cache": 3,
            },
            "vision_config": {**_VISION, "model_type": "siglip2_vision_model", "num_patches": 16},
        },
        64,  # an image is made as large as that
    ),
    "llama4": Sighted(
        sighted_weights.llama4,
        {
            "architectures": ["Llama4ForConditionalGeneration"],
            "model_type": "llama4",
            "text_config": {
                **_NESTED,
                "model_type": "llama4_text",
                "num_hidden_layers": 4,
                "intermediate_size_mlp": 48,
                "interleave_moe_layer_step": 2,
                "num_local_experts": 2,
                "num_experts_per_tok": 1,
            },
            "vision_config": {
                **_VISION,
                "model_type": "llama4_vision_model",
                "intermediate_size": 4 * WIDTH,
                "projector_input_dim": 36,
                "projector_output_dim": 36,
                "vision_output_dim": 36,
            },
        },
        4,
    ),
}
