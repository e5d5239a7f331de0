"""PaddleOCR-VL's: SigLIP over an image of any size, heads that rotate by row and by column,
neighbours side by side, a norm and two matrices.
"""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.tensor import Tensor

_SIDE = 2  # patches along a side of what becomes one token
_LEAST, _MOST = 147384, 2822400  # pixels, where no file says it
_PARTS = {
    "mlp_AR.pre_norm.": "mm.input_norm.",
    "mlp_AR.linear_1.": "mm.1.",
    "mlp_AR.linear_2.": "mm.2.",
    "visual.": "vision_tower.",
}


def _keys(encoder: EncoderConfig) -> Keys:
    if encoder.own.whole("spatial_merge_size", _SIDE) != _SIDE:
        raise encoder.own.bad("spatial_merge_size", encoder.own.get("spatial_merge_size"), "2")
    images = encoder.images
    size = images.part("size")
    return {
        "vision.image_min_pixels": images.whole("min_pixels", size.whole("shortest_edge", _LEAST)),
        "vision.image_max_pixels": images.whole("max_pixels", size.whole("longest_edge", _MOST)),
    }


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


def _weights(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    for theirs, ours in _PARTS.items():
        if name.startswith(theirs):
            name = name.replace(theirs, ours, 1)
            break
    yield name, tensor


def _settings(own: Config) -> Config:
    return Config({"hidden_act": "gelu_pytorch_tanh", **own.text})


PROJECTORS = {
    "PaddleOCRVLForConditionalGeneration": (
        Projector(
            "paddleocr",
            _shapes,
            _keys,
            _weights,
            drop=r"vision_model\.head\.|packing_position_embedding",
            settings=_settings,
        ),
    )
}
