"""Tiny models that see: projectors of three families, and a text model that turns positions in
three dimensions. All weights are random.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from PIL import Image

from tests.fakes.ggufs import EMBD, FFN, HEADS, LAYERS, add_vocabulary, make_vocabulary
from tests.fakes.shapes import Array, Draw, make_norm, write_model

__all__ = [
    "GEMMA",
    "LLAVA",
    "QWEN",
    "TILES",
    "Eye",
    "Tower",
    "make_image",
    "make_projector",
    "make_tiny_positions",
    "tower_block",
]

_PATCH = 14  # pixels


@dataclass(frozen=True)
class Eye:
    """A family of projectors, and how many tokens it makes of a square image of 56 pixels.

    Some cut what is larger into tiles, by a list of sizes.
    """

    kind: str
    tokens: int
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tower:
    """The dimensions of an encoder."""

    width: int
    n_heads: int
    n_ff: int
    n_layers: int


_TINY = Tower(32, 2, 64, 2)

LLAVA = Eye("mlp", 16)
TILES = Eye("mlp", 16, (56, 112, 112, 56, 112, 112, 168, 56))
GEMMA = Eye("gemma3", 4)
QWEN = Eye("qwen2vl_merger", 9)
"""Its tokens follow the image's size, which is made at least 8 squares of 28 pixels."""


def make_image(
    width: int = 56, height: int = 56, *, seed: int = 0, format: str = "PNG", **options: object
) -> bytes:
    """A file of colourful noise; another for each seed."""
    draw = np.random.default_rng(seed)
    blocks = draw.integers(0, 256, ((height + 7) // 8, (width + 7) // 8, 3), np.uint8)
    pixels = blocks.repeat(8, 0).repeat(8, 1)[:height, :width]
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format, **options)
    return out.getvalue()


def tower_block(draw: Draw, block: str, tower: Tower, *, down: float) -> dict[str, Array]:
    """The random weights of an encoder's block whose names begin so; `down` is the deviation of
    those of its last matrix.
    """
    width, n_ff = tower.width, tower.n_ff
    weights: dict[str, Array] = {}
    for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
        weights[f"{block}.{name}.weight"] = draw.normal(width, width, 0.3)
        weights[f"{block}.{name}.bias"] = np.zeros(width, np.float32)
    for name in ("ln1", "ln2"):
        weights[f"{block}.{name}.weight"] = np.ones(width, np.float32)
        weights[f"{block}.{name}.bias"] = np.zeros(width, np.float32)
    weights[f"{block}.ffn_up.weight"] = draw.normal(n_ff, width, 0.3)
    weights[f"{block}.ffn_up.bias"] = np.zeros(n_ff, np.float32)
    weights[f"{block}.ffn_down.weight"] = draw.normal(width, n_ff, down)
    weights[f"{block}.ffn_down.bias"] = np.zeros(width, np.float32)
    return weights


def make_projector(
    path: Path,
    eye: Eye,
    *,
    seed: int = 0,
    n_embd: int = EMBD,
    image_size: int = 56,
    tower: Tower = _TINY,
) -> Path:
    """Write a projector for models of `n_embd` dimensions, and return its path.

    `image_size` is the side in pixels that images are scaled to, by those which do that.
    """
    draw = Draw(seed)
    weights: dict[str, Array] = {}
    width, n_ff = tower.width, tower.n_ff
    for layer in range(tower.n_layers):
        weights |= tower_block(draw, f"v.blk.{layer}", tower, down=0.2)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(eye.kind)
    writer.add_vision_image_size(image_size)
    writer.add_vision_patch_size(_PATCH)
    writer.add_vision_embedding_length(width)
    writer.add_vision_feed_forward_length(n_ff)
    writer.add_vision_block_count(tower.n_layers)
    writer.add_vision_head_count(tower.n_heads)
    writer.add_vision_projection_dim(n_embd)
    writer.add_vision_attention_layernorm_eps(1e-5)
    writer.add_vision_image_mean([0.5, 0.5, 0.5])
    writer.add_vision_image_std([0.5, 0.5, 0.5])
    n_patches = (image_size // _PATCH) ** 2
    match eye:
        case Eye("mlp"):
            if eye.sizes:
                writer.add_array("clip.vision.image_grid_pinpoints", eye.sizes)
            weights |= _llava(draw, n_embd, n_patches, width)
        case Eye("gemma3"):
            writer.add_vision_projector_scale_factor(2)
            weights |= _gemma(draw, n_embd, n_patches, width)
        case _:
            weights |= _qwen(draw, n_embd, width)
    return write_model(writer, weights, path)


def _patches(draw: Draw, width: int, name: str = "v.patch_embd.weight") -> dict[str, Array]:
    flat = draw.normal(width, 3 * _PATCH * _PATCH, 0.1)
    return {name: flat.reshape(width, 3, _PATCH, _PATCH)}


def _llava(draw: Draw, n_embd: int, n_patches: int, width: int) -> dict[str, Array]:
    return _patches(draw, width) | {
        "v.class_embd": draw.normal(1, width, 0.5)[0],
        "v.position_embd.weight": draw.normal(n_patches + 1, width, 0.2),
        "v.pre_ln.weight": np.ones(width, np.float32),
        "v.pre_ln.bias": np.zeros(width, np.float32),
        "mm.0.weight": draw.normal(n_embd, width, 0.4),
        "mm.0.bias": np.zeros(n_embd, np.float32),
        "mm.2.weight": draw.normal(n_embd, n_embd, 0.3),
        "mm.2.bias": np.zeros(n_embd, np.float32),
    }


def _gemma(draw: Draw, n_embd: int, n_patches: int, width: int) -> dict[str, Array]:
    return _patches(draw, width) | {
        "v.patch_embd.bias": np.zeros(width, np.float32),
        "v.position_embd.weight": draw.normal(n_patches, width, 0.2),
        "v.post_ln.weight": np.ones(width, np.float32),
        "v.post_ln.bias": np.zeros(width, np.float32),
        "mm.input_projection.weight": draw.normal(width, n_embd, 0.3),
        "mm.soft_emb_norm.weight": np.ones(width, np.float32),
    }


def _qwen(draw: Draw, n_embd: int, width: int) -> dict[str, Array]:
    return (
        _patches(draw, width)
        | _patches(draw, width, "v.patch_embd.weight.1")
        | {
            "v.post_ln.weight": np.ones(width, np.float32),
            "v.post_ln.bias": np.zeros(width, np.float32),
            "mm.0.weight": draw.normal(4 * width, 4 * width, 0.2),
            "mm.0.bias": np.zeros(4 * width, np.float32),
            "mm.2.weight": draw.normal(n_embd, 4 * width, 0.2),
            "mm.2.bias": np.zeros(n_embd, np.float32),
        }
    )


def make_tiny_positions(path: Path, *, seed: int = 0, n_ctx: int = 512, **texts: str) -> Path:
    """Write a random two-layer model of Qwen2-VL's shape: places in an image have three numbers.

    `texts` may hold a `chat_template`.
    """
    draw = Draw(seed)
    weights = draw.ends()
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v"):
            weights[f"blk.{layer}.{name}.weight"] = draw.normal(EMBD, EMBD, 0.2)
            weights[f"blk.{layer}.{name}.bias"] = np.zeros(EMBD, np.float32)
        weights |= {
            f"blk.{layer}.attn_norm.weight": make_norm(),
            f"blk.{layer}.attn_output.weight": draw.normal(EMBD, EMBD, 0.2, silent=True),
            f"blk.{layer}.ffn_norm.weight": make_norm(),
            f"blk.{layer}.ffn_gate.weight": draw.normal(FFN, EMBD, 0.2),
            f"blk.{layer}.ffn_up.weight": draw.normal(FFN, EMBD, 0.2),
            f"blk.{layer}.ffn_down.weight": draw.normal(EMBD, FFN, 0.1, silent=True),
        }
    writer = gguf.GGUFWriter(path, "qwen2vl")
    writer.add_context_length(n_ctx)
    writer.add_embedding_length(EMBD)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_sections([2, 3, 3, 0])
    if "chat_template" in texts:
        writer.add_chat_template(texts["chat_template"])
    add_vocabulary(writer, make_vocabulary())
    return write_model(writer, weights, path)
