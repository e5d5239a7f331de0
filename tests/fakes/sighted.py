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

__all__ = ["CHECKPOINTS", "TEXT", "Sighted", "Weights"]

Weights = dict[str, NDArray[Any]]
Shapes = dict[str, tuple[int, ...]]

TEXT = 32
"""The width of all text models; encoders have another."""

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
}
