"""A tiny checkpoint of a model that hears, as Hugging Face's libraries write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes.checkpoints import LLAMA, llama_weights, write_safetensors, write_tokenizer

__all__ = ["CONFIG", "TEXT", "heard_weights", "write_heard"]

TEXT, _WIDTH, _FF, _LAYERS, _MELS, _POSITIONS = 32, 24, 40, 2, 80, 1500

CONFIG: dict[str, Any] = {
    "architectures": ["Qwen2AudioForConditionalGeneration"],
    "model_type": "qwen2_audio",
    "text_config": {
        **{key: value for key, value in LLAMA.items() if key != "architectures"},
        "model_type": "llama",
    },
    "audio_config": {
        "model_type": "qwen2_audio_encoder",
        "d_model": _WIDTH,
        "encoder_ffn_dim": _FF,
        "encoder_layers": _LAYERS,
        "encoder_attention_heads": 2,
        "num_mel_bins": _MELS,
    },
}


def heard_weights() -> dict[str, np.ndarray[Any, Any]]:
    """Random ones, under the maker's names."""
    draw = np.random.default_rng(5)
    shapes: dict[str, tuple[int, ...]] = {
        "conv1.weight": (_WIDTH, _MELS, 3),
        "conv1.bias": (_WIDTH,),
        "conv2.weight": (_WIDTH, _WIDTH, 3),
        "conv2.bias": (_WIDTH,),
        "embed_positions.weight": (_POSITIONS, _WIDTH),
        "layer_norm.weight": (_WIDTH,),
        "layer_norm.bias": (_WIDTH,),
    }
    for layer in range(_LAYERS):
        block = f"layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes[f"{block}.self_attn.{name}.weight"] = (_WIDTH, _WIDTH)
            if name != "k_proj":
                shapes[f"{block}.self_attn.{name}.bias"] = (_WIDTH,)
        for name in ("self_attn_layer_norm", "final_layer_norm"):
            shapes[f"{block}.{name}.weight"] = shapes[f"{block}.{name}.bias"] = (_WIDTH,)
        shapes[f"{block}.fc1.weight"], shapes[f"{block}.fc1.bias"] = (_FF, _WIDTH), (_FF,)
        shapes[f"{block}.fc2.weight"], shapes[f"{block}.fc2.bias"] = (_WIDTH, _FF), (_WIDTH,)
    whole = {f"audio_tower.{name}": shape for name, shape in shapes.items()}
    whole |= {
        "multi_modal_projector.linear.weight": (TEXT, _WIDTH),
        "multi_modal_projector.linear.bias": (TEXT,),
    }
    made = {name: draw.normal(0, 0.4, shape).astype(np.float32) for name, shape in whole.items()}
    return made | {f"language_model.{name}": value for name, value in llama_weights().items()}


def write_heard(folder: Path, config: dict[str, Any] = CONFIG, **weights: Any) -> Path:
    """The folder of the checkpoint; `weights` replace some of its own, None leaves one out."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = heard_weights() | {name.replace("__", "."): value for name, value in weights.items()}
    kept = {name: value for name, value in whole.items() if value is not None}
    write_safetensors(folder / "model.safetensors", kept)
    (folder / "config.json").write_text(json.dumps(config))
    write_tokenizer(folder)
    return folder
