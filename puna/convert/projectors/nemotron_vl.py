"""Nemotron Nano VL's: RADIO over square tiles, with learned vectors before the patches; four
neighbours side by side go through a norm and two matrices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from puna.convert.config import Config
from puna.convert.family import Keys, Named, Value
from puna.convert.kinds import Array, as_float32
from puna.convert.projector import EncoderConfig, Pixels, Projector, Shapes
from puna.convert.projectors.layers import block_shapes
from puna.convert.tensor import Tensor

_SIDE = 2  # patches along a side of what becomes one token
_TOWER = "vision_model.radio_model.model."
_PIXELS = Pixels((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HUGE = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "patch_size": 16,
}
"""Of ViT-H, where the configuration names the model alone."""


def _settings(own: Config) -> Config:
    return Config({**_HUGE, **own.top, "hidden_act": "gelu", "image_size": 0})


def _tile(encoder: EncoderConfig) -> int:
    """Pixels along a side of what is looked at."""
    return encoder.whole.whole("force_image_size", 512)


def _keys(encoder: EncoderConfig) -> Keys:
    ratio = encoder.whole.real("downsample_ratio", 0.5)
    if ratio * _SIDE != 1:
        raise encoder.whole.bad("downsample_ratio", ratio, "0.5")
    keys: dict[str, Value] = {
        "vision.image_size": _tile(encoder),
        "vision.projector.scale_factor": _SIDE,
    }
    for kind in ("mean", "std"):
        values = encoder.images.items(f"norm_{kind}") or encoder.whole.items(f"norm_{kind}")
        if values and not encoder.images.has(f"image_{kind}"):
            keys[f"vision.image_{kind}"] = [float(value) for value in values]
    return keys


def _shapes(encoder: EncoderConfig) -> Shapes:
    width, size = encoder.width, encoder.own.whole("patch_size")
    wide, text = width * _SIDE**2, encoder.text_width
    inner = encoder.whole.whole("projector_hidden_size", 4 * wide)
    return {
        "v.patch_embd.weight": (width, 3, size, size),
        "v.position_embd.weight": ((_tile(encoder) // size) ** 2, width),
        "v.class_embd": (-1, width),
        **block_shapes(encoder, fused=True),
        "mm.model.mlp.0.weight": (wide,),
        "mm.model.mlp.1.weight": (inner, wide),
        "mm.model.mlp.3.weight": (text, inner),
    }


def _weights(encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    part = name.removeprefix(_TOWER)
    if part == "patch_generator.embedder.weight":
        size = encoder.own.whole("patch_size")
        yield "v.patch_embd.weight", tensor.reshaped(tensor.shape[0], 3, size, size)
    elif part == "patch_generator.pos_embed":
        yield "v.position_embd.weight", _spread(encoder, tensor)
    elif part == "patch_generator.cls_token.token":
        yield "v.class_embd", tensor
    elif name.startswith("mlp1."):
        yield name.replace("mlp1.", "mm.model.mlp.", 1), tensor
    else:
        yield name, tensor


def _spread(encoder: EncoderConfig, tensor: Tensor) -> Tensor:
    """The places of a tile out of those learned for the largest image, as far as linearly between
    the nearest.
    """
    width, side = encoder.width, _tile(encoder) // encoder.own.whole("patch_size")
    learned = math.isqrt(tensor.shape[-2])
    if learned**2 != tensor.shape[-2]:
        raise tensor.bad(f"{tensor.shape[-2]} places are no square")

    def spread(values: Array) -> Array:
        grid = as_float32(values, tensor.kind).reshape(learned, learned, width)
        for _ in range(2):
            grid = _between(grid, side).swapaxes(0, 1)
        places: Array = np.ascontiguousarray(grid.reshape(side**2, width), np.float32)
        return places

    return tensor.changed((side**2, width), spread, "F32")


def _between(rows: npt.NDArray[Any], n_rows: int) -> npt.NDArray[Any]:
    """So many rows, of middles that are as far from one another over the same length."""
    middles = np.clip((np.arange(n_rows) + 0.5) * len(rows) / n_rows - 0.5, 0, len(rows) - 1)
    first = np.floor(middles).astype(int)
    share = (middles - first).reshape(-1, 1, 1)
    second = np.minimum(first + 1, len(rows) - 1)
    between: npt.NDArray[Any] = rows[first] * (1 - share) + rows[second] * share
    return between


_NEMOTRON = Projector(
    "nemotron_v2_vl",
    _shapes,
    _keys,
    _weights,
    pixels=_PIXELS,
    settings=_settings,
    drop=r"input_conditioner|video_embedder|summary_idxs",
)

PROJECTORS = {"NemotronH_Nano_VL_V2": (_NEMOTRON,)}
