"""Tiny checkpoints of models that see, as Hugging Face's libraries write them: random text models
and vision encoders, without those libraries.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.fakes.checkpoints import LLAMA, llama_weights, write_safetensors, write_tokenizer

__all__ = ["BREAK", "CHECKPOINTS", "TEXT", "Sighted", "Weights"]

Weights = dict[str, NDArray[Any]]
Shapes = dict[str, tuple[int, ...]]

TEXT = 32
"""The width of all text models; encoders have another."""

BREAK = 270
"""The id of the token that Pixtral has between the rows of an image."""

_WIDTH, _FFN, _LAYERS, _PATCH = 24, 40, 2, 14
_VISION = {
    "hidden_size": _WIDTH,
    "intermediate_size": _FFN,
    "num_hidden_layers": _LAYERS,
    "num_attention_heads": 2,
    "image_size": 56,
    "patch_size": _PATCH,
}
_NESTED = {key: value for key, value in LLAMA.items() if key != "architectures"}


def _random(shapes: Shapes) -> Weights:
    draw = np.random.default_rng(3)
    return {
        name: draw.normal(0, 1.5 / max(math.prod(shape[1:]), 4) ** 0.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def _linear(name: str, rows: int, columns: int, *, bias: bool = True) -> Shapes:
    shapes: Shapes = {f"{name}.weight": (rows, columns)}
    return shapes | ({f"{name}.bias": (rows,)} if bias else {})


def _norm(name: str, *, width: int = _WIDTH, bias: bool = True) -> Shapes:
    names = ("weight", "bias") if bias else ("weight",)
    return {f"{name}.{each}": (width,) for each in names}


def _siglip(tower: str) -> Shapes:
    """What the encoders of CLIP and SigLIP have in common."""
    shapes: Shapes = {
        f"{tower}.embeddings.patch_embedding.weight": (_WIDTH, 3, _PATCH, _PATCH),
        **_norm(f"{tower}.post_layernorm"),
    }
    for layer in range(_LAYERS):
        block = f"{tower}.encoder.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _linear(f"{block}.self_attn.{name}", _WIDTH, _WIDTH)
        shapes |= _norm(f"{block}.layer_norm1") | _norm(f"{block}.layer_norm2")
        shapes |= _linear(f"{block}.mlp.fc1", _FFN, _WIDTH)
        shapes |= _linear(f"{block}.mlp.fc2", _WIDTH, _FFN)
    return shapes


def _within(weights: Iterable[tuple[str, NDArray[Any]]]) -> Weights:
    """The text model's weights as a part of a larger one."""
    return {f"language_model.{name}": values for name, values in weights}


def _gemma3() -> Weights:
    text = {name: values for name, values in llama_weights().items() if name != "lm_head.weight"}
    for layer in range(2):
        for name in ("pre_feedforward_layernorm", "post_feedforward_layernorm"):
            text[f"model.layers.{layer}.{name}.weight"] = np.zeros(TEXT, np.float32)
        for name in ("q_norm", "k_norm"):
            text[f"model.layers.{layer}.self_attn.{name}.weight"] = np.zeros(8, np.float32)
    tower = "vision_tower.vision_model"
    return _within(text.items()) | _random(
        {
            **_siglip(tower),
            f"{tower}.embeddings.patch_embedding.bias": (_WIDTH,),
            f"{tower}.embeddings.position_embedding.weight": (16, _WIDTH),
            f"{tower}.head.probe": (1, 1, _WIDTH),
            "multi_modal_projector.mm_soft_emb_norm.weight": (_WIDTH,),
            "multi_modal_projector.mm_input_projection_weight": (_WIDTH, TEXT),
        }
    )


def _llava() -> Weights:
    tower = "vision_tower.vision_model"
    return _within(llama_weights().items()) | _random(
        {
            **_siglip(tower),
            f"{tower}.embeddings.class_embedding": (_WIDTH,),
            f"{tower}.embeddings.position_embedding.weight": (17, _WIDTH),
            **_norm(f"{tower}.pre_layrnorm"),
            **_linear("multi_modal_projector.linear_1", TEXT, _WIDTH),
            **_linear("multi_modal_projector.linear_2", TEXT, TEXT),
        }
    )


def _qwen25() -> Weights:
    text = llama_weights()
    for layer in range(2):
        for name, rows in (("q_proj", 32), ("k_proj", 16), ("v_proj", 16)):
            text[f"model.layers.{layer}.self_attn.{name}.bias"] = np.zeros(rows, np.float32)
    shapes: Shapes = {
        "visual.patch_embed.proj.weight": (_WIDTH, 3, 2, _PATCH, _PATCH),
        **_norm("visual.merger.ln_q", bias=False),
        **_linear("visual.merger.mlp.0", 4 * _WIDTH, 4 * _WIDTH),
        **_linear("visual.merger.mlp.2", TEXT, 4 * _WIDTH),
    }
    for layer in range(_LAYERS):
        block = f"visual.blocks.{layer}"
        shapes |= _linear(f"{block}.attn.qkv", 3 * _WIDTH, _WIDTH)
        shapes |= _linear(f"{block}.attn.proj", _WIDTH, _WIDTH)
        shapes |= _norm(f"{block}.norm1", bias=False) | _norm(f"{block}.norm2", bias=False)
        shapes |= _linear(f"{block}.mlp.gate_proj", _FFN, _WIDTH)
        shapes |= _linear(f"{block}.mlp.up_proj", _FFN, _WIDTH)
        shapes |= _linear(f"{block}.mlp.down_proj", _WIDTH, _FFN)
    return text | _random(shapes)


def _mistral3() -> Weights:
    shapes: Shapes = {
        "vision_tower.patch_conv.weight": (_WIDTH, 3, _PATCH, _PATCH),
        **_norm("vision_tower.ln_pre", bias=False),
        **_norm("multi_modal_projector.norm", bias=False),
        "multi_modal_projector.patch_merger.merging_layer.weight": (_WIDTH, 4 * _WIDTH),
        **_linear("multi_modal_projector.linear_1", TEXT, _WIDTH, bias=False),
        **_linear("multi_modal_projector.linear_2", TEXT, TEXT, bias=False),
    }
    for layer in range(_LAYERS):
        block = f"vision_tower.transformer.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes |= _linear(f"{block}.attention.{name}", _WIDTH, _WIDTH, bias=False)
        shapes |= _norm(f"{block}.attention_norm", bias=False)
        shapes |= _norm(f"{block}.ffn_norm", bias=False)
        for name in ("gate_proj", "up_proj"):
            shapes |= _linear(f"{block}.feed_forward.{name}", _FFN, _WIDTH, bias=False)
        shapes |= _linear(f"{block}.feed_forward.down_proj", _WIDTH, _FFN, bias=False)
    return _within(llama_weights().items()) | _random(shapes)


@dataclass(frozen=True)
class Sighted:
    """A checkpoint: its weights, its configuration, and how many tokens it makes of a square image
    of 56 pixels.
    """

    weights: Callable[[], Weights]
    config: Mapping[str, Any]
    tokens: int

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
        _gemma3,
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
        _llava,
        {
            "architectures": ["LlavaForConditionalGeneration"],
            "model_type": "llava",
            "text_config": {**_NESTED, "model_type": "llama"},
            "vision_config": {**_VISION, "model_type": "clip_vision_model"},
        },
        16,
    ),
    "qwen2.5-vl": Sighted(
        _qwen25,
        {
            **_NESTED,
            "architectures": ["Qwen2_5_VLForConditionalGeneration"],
            "model_type": "qwen2_5_vl",
            "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
            "vision_config": {
                "depth": _LAYERS,
                "hidden_size": _WIDTH,
                "intermediate_size": _FFN,
                "num_heads": 2,
                "out_hidden_size": TEXT,
                "fullatt_block_indexes": [1],
            },
        },
        9,  # an image is made as large as eight tokens
    ),
    "mistral3": Sighted(
        _mistral3,
        {
            "architectures": ["Mistral3ForConditionalGeneration"],
            "model_type": "mistral3",
            "spatial_merge_size": 2,
            "text_config": {**_NESTED, "model_type": "mistral"},
            "vision_config": {**_VISION, "model_type": "pixtral", "hidden_act": "silu"},
        },
        11,  # three rows of three, and what ends the first two
    ),
}
