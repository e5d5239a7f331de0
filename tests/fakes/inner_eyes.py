"""Tiny random encoders that no checkpoint of the tests has: in the engine's form, and inside a text
model's file as the reference writes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes.monoliths import Keys, Weights, read_gguf, write_copy
from tests.fakes.renamed import EMBD

__all__ = ["EYES", "InnerEye", "put_inside", "write_eye"]

Shapes = dict[str, tuple[int, ...]]

WIDTH, FFN, HEADS, PATCH, LAYERS = 16, 24, 2, 14, 2


@dataclass(frozen=True)
class InnerEye:
    """`keys` are those of the engine's file without `clip.vision.`, `theirs` those of the reference
    without the architecture. `renames` make the reference's names of the engine's.
    """

    kind: str
    act: str
    keys: Mapping[str, Any]
    shapes: Shapes
    theirs: Mapping[str, Any]
    renames: Mapping[str, str]
    halves: tuple[str, ...]


def write_eye(path: Path, eye: InnerEye) -> Path:
    """The engine's file."""
    keys: Keys = {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "clip.has_vision_encoder": True,
        "clip.projector_type": eye.kind,
        f"clip.use_{eye.act}": True,
        **{f"clip.vision.{name}": value for name, value in eye.keys.items()},
    }
    draw = np.random.default_rng(1)
    weights: Weights = {
        name: draw.normal(0, 0.2, shape).astype("f4") for name, shape in eye.shapes.items()
    }
    for name in eye.halves:
        weights[name] = weights[name].astype("f2").astype("f4")
    return write_copy(path, keys, weights)


def put_inside(path: Path, text: Path, eye: InnerEye, own: Path) -> Path:
    """The text model's file in the reference's form, with the encoder of the file `own` inside."""
    keys, weights = read_gguf(text)
    _, seeing = read_gguf(own)
    weights = {name: each for name, each in weights.items() if name[:2] not in {"v.", "a."}}
    for name in eye.halves:
        seeing[name] = seeing[name].astype("f2")
    if eye.kind == "nemotron_v2_vl":
        seeing["v.patch_embd.weight"] = seeing["v.patch_embd.weight"].reshape(WIDTH, -1)
    for pattern, name in eye.renames.items():
        seeing = {re.sub(pattern, name, old): each for old, each in seeing.items()}
    architecture = keys["general.architecture"]
    keys |= {f"{architecture}.{name}": value for name, value in eye.theirs.items()}
    return write_copy(path, keys, weights | seeing)


def _sizes(**more: Any) -> dict[str, Any]:
    return {
        "block_count": LAYERS,
        "embedding_length": WIDTH,
        "feed_forward_length": FFN,
        "attention.head_count": HEADS,
        "image_size": 56,
        "patch_size": PATCH,
        **{name.replace("__", "."): value for name, value in more.items()},
    }


def _of(sizes: Mapping[str, Any], *absent: str, **more: Any) -> dict[str, Any]:
    """The reference's keys for the same sizes."""
    kept = {f"vision.{name}": value for name, value in sizes.items() if name not in absent}
    return kept | {name.replace("__", "."): value for name, value in more.items()}


_CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
_CLIP_STD = [0.26862954, 0.26130258, 0.27577711]


def _blocks(shapes: Shapes, before: str = "v.blk") -> Shapes:
    return {f"{before}.{n}.{name}": shape for n in range(LAYERS) for name, shape in shapes.items()}


_PATCHES = (WIDTH, 3, PATCH, PATCH)
_GLM: Shapes = {
    "v.patch_embd.weight": _PATCHES,
    "v.patch_embd.weight.1": _PATCHES,
    "v.patch_embd.bias": (WIDTH,),
    "v.post_ln.weight": (WIDTH,),
    "mm.patch_merger.weight": (EMBD, WIDTH, 2, 2),
    "mm.patch_merger.bias": (EMBD,),
    "mm.model.fc.weight": (EMBD, EMBD),
    "mm.post_norm.weight": (EMBD,),
    "mm.post_norm.bias": (EMBD,),
    "mm.up.weight": (40, EMBD),
    "mm.gate.weight": (40, EMBD),
    "mm.down.weight": (EMBD, 40),
    **_blocks(
        {
            "attn_qkv.weight": (3 * WIDTH, WIDTH),
            "attn_qkv.bias": (3 * WIDTH,),
            "attn_out.weight": (WIDTH, WIDTH),
            "attn_out.bias": (WIDTH,),
            "attn_q_norm.weight": (WIDTH // HEADS,),
            "attn_k_norm.weight": (WIDTH // HEADS,),
            "ln1.weight": (WIDTH,),
            "ln2.weight": (WIDTH,),
            "ffn_up.weight": (FFN, WIDTH),
            "ffn_gate.weight": (FFN, WIDTH),
            "ffn_down.weight": (WIDTH, FFN),
        }
    ),
}

_GEMMA4: Shapes = {
    "v.patch_embd.weight": _PATCHES,
    "v.position_embd.weight": (2, 64, WIDTH),
    "v.std_bias": (WIDTH,),
    "v.std_scale": (WIDTH,),
    "mm.input_projection.weight": (EMBD, WIDTH),
    **_blocks(
        {
            **{f"attn_{part}.weight": (WIDTH, WIDTH) for part in ("q", "k", "v", "out")},
            "attn_q.input_max": (1,),
            "attn_q_norm.weight": (WIDTH // HEADS,),
            "attn_k_norm.weight": (WIDTH // HEADS,),
            "ln1.weight": (WIDTH,),
            "ln2.weight": (WIDTH,),
            "attn_post_norm.weight": (WIDTH,),
            "ffn_post_norm.weight": (WIDTH,),
            "ffn_up.weight": (FFN, WIDTH),
            "ffn_gate.weight": (FFN, WIDTH),
            "ffn_down.weight": (WIDTH, FFN),
        }
    ),
}

_SAM = 8
_OCR: Shapes = {
    "v.patch_embd.weight": _PATCHES,
    "v.position_embd.weight": (17, WIDTH),
    "v.class_embd": (WIDTH,),
    "v.pre_ln.weight": (WIDTH,),
    "v.pre_ln.bias": (WIDTH,),
    "v.image_newline": (EMBD,),
    "v.view_seperator": (EMBD,),
    "mm.model.fc.weight": (EMBD, 2 * WIDTH),
    "mm.model.fc.bias": (EMBD,),
    "v.sam.patch_embd.weight": (_SAM, 3, 16, 16),
    "v.sam.patch_embd.bias": (_SAM,),
    "v.sam.pos_embd.weight": (1, 64, 64, _SAM),
    "v.sam.neck.0.weight": (_SAM, _SAM, 1, 1),
    "v.sam.neck.1.weight": (_SAM,),
    "v.sam.neck.1.bias": (_SAM,),
    "v.sam.neck.2.weight": (_SAM, _SAM, 3, 3),
    "v.sam.neck.3.weight": (_SAM,),
    "v.sam.neck.3.bias": (_SAM,),
    "v.sam.net_2.weight": (WIDTH, _SAM, 3, 3),
    "v.sam.net_3.weight": (WIDTH, WIDTH, 3, 3),
    **_blocks(
        {
            "attn_qkv.weight": (3 * WIDTH, WIDTH),
            "attn_qkv.bias": (3 * WIDTH,),
            "attn_out.weight": (WIDTH, WIDTH),
            "attn_out.bias": (WIDTH,),
            **{f"ln{n}.{kind}": (WIDTH,) for n in (1, 2) for kind in ("weight", "bias")},
            "ffn_up.weight": (FFN, WIDTH),
            "ffn_up.bias": (FFN,),
            "ffn_down.weight": (WIDTH, FFN),
            "ffn_down.bias": (WIDTH,),
        }
    ),
    **_blocks(
        {
            "attn.qkv.weight": (3 * _SAM, _SAM),
            "attn.qkv.bias": (3 * _SAM,),
            "attn.out.weight": (_SAM, _SAM),
            "attn.out.bias": (_SAM,),
            "attn.pos_h.weight": (27, _SAM // HEADS),
            "attn.pos_w.weight": (27, _SAM // HEADS),
            **{f"{n}_ln.{kind}": (_SAM,) for n in ("pre", "post") for kind in ("weight", "bias")},
            "mlp.lin1.weight": (16, _SAM),
            "mlp.lin1.bias": (16,),
            "mlp.lin2.weight": (_SAM, 16),
            "mlp.lin2.bias": (_SAM,),
        },
        "v.sam.blk",
    ),
}

_GLM_SIZES = _sizes(
    attention__layer_norm_epsilon=1e-5,
    spatial_merge_size=2,
    projection_dim=EMBD,
    image_mean=_CLIP_MEAN,
    image_std=_CLIP_STD,
)
_GEMMA4_SIZES = _sizes(
    attention__layer_norm_epsilon=1e-6,
    projection_dim=EMBD,
    projector__scale_factor=2,
    image_mean=[0.0, 0.0, 0.0],
    image_std=[1.0, 1.0, 1.0],
)
_OCR_SIZES = {
    **_sizes(
        attention__layer_norm_epsilon=1e-6,
        projection_dim=EMBD,
        projector__scale_factor=1,
        window_size=14,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
        sam__block_count=LAYERS,
        sam__embedding_length=_SAM,
        sam__head_count=HEADS,
    ),
    "feed_forward_length": 64,
}
_FIXED = ("projection_dim", "image_mean", "image_std")

_RADIO: Shapes = {
    "v.patch_embd.weight": _PATCHES,
    "v.position_embd.weight": (16, WIDTH),
    "v.class_embd": (2, WIDTH),
    "mm.model.mlp.0.weight": (4 * WIDTH,),
    "mm.model.mlp.1.weight": (40, 4 * WIDTH),
    "mm.model.mlp.3.weight": (EMBD, 40),
    **_blocks(
        {
            **{f"attn_{part}.weight": (WIDTH, WIDTH) for part in ("q", "k", "v", "out")},
            **{f"attn_{part}.bias": (WIDTH,) for part in ("q", "k", "v", "out")},
            **{f"ln{n}.{kind}": (WIDTH,) for n in (1, 2) for kind in ("weight", "bias")},
            "ffn_up.weight": (FFN, WIDTH),
            "ffn_up.bias": (FFN,),
            "ffn_down.weight": (WIDTH, FFN),
            "ffn_down.bias": (WIDTH,),
        }
    ),
}
_RADIO_SIZES = _sizes(
    attention__layer_norm_epsilon=1e-6,
    projection_dim=EMBD,
    projector__scale_factor=2,
    image_mean=_CLIP_MEAN,
    image_std=_CLIP_STD,
)

EYES: Mapping[str, InnerEye] = {
    "nemotron-omni": InnerEye(
        "nemotron_v2_vl",
        "gelu",
        _RADIO_SIZES,
        _RADIO,
        _of(_RADIO_SIZES, "projection_dim"),
        {
            r"^v\.position_embd\.weight$": "v.position_embd",
            r"^v\.class_embd$": "v.cls_embd",
            r"^mm\.model\.mlp\.0\.": "mm.norm.",
            r"^mm\.model\.mlp\.1\.": "mm.1.",
            r"^mm\.model\.mlp\.3\.": "mm.2.",
        },
        ("v.patch_embd.weight", "v.position_embd.weight", "v.class_embd"),
    ),
    "glm-ocr": InnerEye(
        "glm4v",
        "silu",
        _GLM_SIZES,
        _GLM,
        _of(
            _GLM_SIZES,
            *_FIXED,
            "feed_forward_length",
            "attention.layer_norm_epsilon",
            vision__intermediate_size=FFN,
            vision__attention__layer_norm_rms_epsilon=1e-5,
            vision__out_hidden_size=EMBD,
        ),
        {
            r"^v\.patch_embd\.weight$": "v.patch_embd_0.weight",
            r"^v\.patch_embd\.weight\.1$": "v.patch_embd_1.weight",
        },
        ("v.patch_embd.weight", "v.patch_embd.weight.1"),
    ),
    "gemma4": InnerEye(
        "gemma4v",
        "gelu",
        _GEMMA4_SIZES,
        _GEMMA4,
        _of(_GEMMA4_SIZES, *_FIXED),
        {},
        ("v.patch_embd.weight",),
    ),
    "deepseek-ocr": InnerEye(
        "deepseekocr",
        "gelu",
        _OCR_SIZES,
        _OCR,
        {
            **_of(_sizes(), "feed_forward_length", "attention.head_count"),
            "vision.head_count": HEADS,
            "sam.block_count": LAYERS,
            "sam.embedding_length": _SAM,
            "sam.head_count": HEADS,
        },
        {
            r"^v\.(image_newline|view_seperator)$": r"mm.\1",
            r"^mm\.model\.fc\.": "mm.layers.",
            r"^v\.pre_ln\.": "v.pre_layrnorm.",
            r"\.attn\.pos_([hw])\.weight$": r".attn.rel_pos_\1",
            r"\.attn\.out\.": ".attn.proj.",
            r"\.pre_ln\.": ".norm1.",
            r"\.post_ln\.": ".norm2.",
            r"^v\.sam\.": "s.",
            r"^s\.pos_embd\.weight$": "s.position_embd",
            r"\.attn_out\.": ".self_attn.out_proj.",
            r"\.attn_qkv\.": ".self_attn.qkv_proj.",
            r"\.ln([12])\.": r".layer_norm\1.",
            r"\.ffn_up\.": ".mlp.fc1.",
            r"\.ffn_down\.": ".mlp.fc2.",
        },
        ("v.patch_embd.weight", "v.sam.patch_embd.weight", "v.position_embd.weight"),
    ),
}
