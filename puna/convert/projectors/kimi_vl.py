"""Kimi-VL's: MoonViT over images of any size, four neighbours merged behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import HALF_PIXELS, EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.tensor import Tensor

_SIDE = 2  # patches along a side of what becomes one token
_MATRICES = {"pre_norm": "mm.input_norm", "linear_1": "mm.1", "linear_2": "mm.2"}


def _settings(own: Config) -> Config:
    """With the size of images for which places were learned."""
    side = own.whole("init_pos_emb_height", 64)
    if own.whole("init_pos_emb_width", side) != side:
        raise own.bad("init_pos_emb_width", own.get("init_pos_emb_width"), str(side))
    size = side * own.whole("patch_size")
    return Config({"hidden_act": "gelu_pytorch_tanh", **own.top, "image_size": size})


def _keys(encoder: EncoderConfig) -> Keys:
    encoder.refuse("merge_kernel_size", [_SIDE, _SIDE], _SIDE)
    return {"vision.projector.scale_factor": _SIDE}


def _shapes(encoder: EncoderConfig) -> Shapes:
    width, wide = encoder.width, encoder.width * _SIDE**2
    return {
        **patch_shapes(encoder),
        "v.patch_embd.bias": (width,),
        "v.position_embd.weight": (encoder.n_patches**2, width),
        **block_shapes(encoder),
        **norm("v.post_ln", width),
        **norm("mm.input_norm", width),
        **linear("mm.1", wide, wide),
        **linear("mm.2", encoder.text_width, wide),
    }


def _weights(encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    """Heads turn by column and by row in turns, where the engine has all columns first."""
    if name.endswith("pos_emb.weight"):
        yield name, tensor.reshaped(-1, tensor.shape[-1])
    elif found := re.fullmatch(r"(.+)\.wqkv\.(weight|bias)", name):
        width, n_heads = encoder.width, encoder.own.n_heads
        for letter, part in zip("qkv", tensor.split(width, width, width), strict=True):
            if letter != "v":
                part = part.regrouped((n_heads, width // n_heads // 4, 2, 2), (0, 2, 1, 3))
            yield f"{found[1]}.w{letter}.{found[2]}", part
    else:
        stem, _, kind = name.removeprefix("multi_modal_projector.").rpartition(".")
        yield f"{_MATRICES[stem]}.{kind}" if stem in _MATRICES else name, tensor


PROJECTORS = {
    "KimiVLForConditionalGeneration": (
        Projector(
            "kimivl",
            _shapes,
            _keys,
            _weights,
            norm_eps=1e-5,
            pixels=HALF_PIXELS,
            settings=_settings,
        ),
    )
}
