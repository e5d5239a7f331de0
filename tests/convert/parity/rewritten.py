"""Makers' own files, of those that transformers writes: the same numbers under other names."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.convert.parity.twins import TWINS

__all__ = ["REWRITTEN"]

Weights = dict[str, npt.NDArray[np.float32]]

_NAMES = (
    (
        r"^vision_tower\.encoder\.layer\.(\d+)\.lambda_([12])$",
        r"vision_model.encoder.layers.\1.ls\2",
    ),
    (r"^vision_tower\.encoder\.layer\.", "vision_model.encoder.layers."),
    (r"\.attention\.projection_layer\.", ".attn.proj."),
    (r"\.attention\.qkv\.", ".attn.qkv."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"^vision_tower\.embeddings\.cls_token$", "vision_model.embeddings.class_embedding"),
    (
        r"^vision_tower\.embeddings\.patch_embeddings\.projection\.",
        "vision_model.embeddings.patch_embedding.",
    ),
    (
        r"^vision_tower\.embeddings\.position_embeddings$",
        "vision_model.embeddings.position_embedding",
    ),
    (r"^multi_modal_projector\.layer_norm\.", "mlp1.0."),
    (r"^multi_modal_projector\.linear_1\.", "mlp1.1."),
    (r"^multi_modal_projector\.linear_2\.", "mlp1.3."),
)


def _as_chat_model(folder: Path) -> None:
    """Rewrite what is there as the makers have it."""
    numbers = importlib.import_module("safetensors.numpy")
    settings = json.loads((folder / "config.json").read_text())
    weights: Weights = numbers.load_file(folder / "model.safetensors")
    numbers.save_file(_renamed(_fused(weights)), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(_settings(settings)))


def _settings(settings: dict[str, Any]) -> dict[str, Any]:
    vision = settings["vision_config"]
    for key in ("image_size", "patch_size"):
        vision[key] = vision[key][0]
    vision |= {"model_type": "intern_vit_6b", "qkv_bias": True, "qk_normalization": False}
    del vision["attention_bias"]
    return {
        "architectures": ["InternVLChatModel"],
        "model_type": "internvl_chat",
        "llm_config": settings["text_config"],
        "vision_config": vision,
        "downsample_ratio": 0.5,
        "min_dynamic_patch": 1,
        "max_dynamic_patch": 12,
    }


def _fused(weights: Weights) -> Weights:
    """Queries, keys and values of a block in one tensor."""
    changed = dict(weights)
    for name in weights:
        if ".attention.q_proj." in name:
            parts = [changed.pop(name.replace("q_proj", f"{part}_proj")) for part in "qkv"]
            changed[name.replace("q_proj", "qkv")] = np.concatenate(parts)
    return changed


def _renamed(weights: Weights) -> Weights:
    changed: Weights = {}
    for name, values in weights.items():
        for pattern, makers in _NAMES:
            name = re.sub(pattern, makers, name)
        changed[name] = values
    return changed


def _as_deepseek_ocr(folder: Path) -> None:
    """Only its configuration differs."""
    settings = json.loads((folder / "config.json").read_text())
    sam, clip = (settings["vision_config"][f"{part}_config"] for part in ("sam", "encoder"))
    parts = {
        "clip-l-14-224": {
            "heads": clip["num_attention_heads"],
            "image_size": clip["image_size"],
            "layers": clip["num_hidden_layers"],
            "patch_size": clip["patch_size"],
            "width": clip["hidden_size"],
        },
        "sam_vit_b": {
            "downsample_channels": sam["downsample_channels"],
            "global_attn_indexes": sam["global_attn_indexes"],
            "heads": sam["num_attention_heads"],
            "layers": sam["num_hidden_layers"],
            "width": sam["hidden_size"],
        },
    }
    changed = {
        "architectures": ["DeepseekOCRForCausalLM"],
        "model_type": "deepseek_vl_v2",
        "language_config": {
            **settings["text_config"],
            "first_k_dense_replace": 1,
            "use_mla": False,
        },
        "vision_config": {"image_size": 1024, "model_type": "vision", "width": parts},
    }
    (folder / "config.json").write_text(json.dumps(changed))


def _as_omni(folder: Path) -> None:
    """The one that thinks, of a model that speaks, too."""
    numbers = importlib.import_module("safetensors.numpy")
    weights: Weights = numbers.load_file(folder / "model.safetensors")
    settings = json.loads((folder / "config.json").read_text())
    settings, weights = TWINS["Qwen2_5OmniModel"](settings, weights)
    numbers.save_file(weights, folder / "model.safetensors")
    settings["architectures"] = ["Qwen2_5OmniModel"]
    (folder / "config.json").write_text(json.dumps(settings))


REWRITTEN: Mapping[str, tuple[str, Callable[[Path], None]]] = {
    "InternVLChatModel": ("InternVLForConditionalGeneration", _as_chat_model),
    "Qwen2_5OmniModel": ("Qwen2_5OmniThinkerForConditionalGeneration", _as_omni),
    "DeepseekOCRForCausalLM": ("UnlimitedOcrForConditionalGeneration", _as_deepseek_ocr),
}
"""By a maker's architecture the class that computes the same, and what rewrites its folder."""
