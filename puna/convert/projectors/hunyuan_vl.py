"""HunYuan-VL's and HunyuanOCR's: images of any size, two convolutions behind the blocks, a vector
at the end of each row, and one before and one behind all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import CLIP_PIXELS, EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.tensor import Tensor

_SIDE = 2  # patches along a side of what becomes one token
_LEAST, _MOST = 262_144, 4_194_304  # pixels, where no file says it


def _settings(own: Config) -> Config:
    """With the size of images for which places were learned."""
    return Config({"image_size": own.whole("max_image_size", 2048), **own.top})


def _keys(encoder: EncoderConfig) -> Keys:
    encoder.refuse("spatial_merge_size", _SIDE)
    encoder.refuse("interpolate_mode", "bilinear")
    images = encoder.images
    size = images.part("size")
    return {
        "use_gelu": True,
        "vision.attention.layer_norm_epsilon": encoder.own.positive("rms_eps", 1e-5),
        "vision.spatial_merge_size": _SIDE,
        "vision.image_min_pixels": images.whole("min_pixels", size.whole("shortest_edge", _LEAST)),
        "vision.image_max_pixels": images.whole("max_pixels", size.whole("longest_edge", _MOST)),
    }


def _shapes(encoder: EncoderConfig) -> Shapes:
    width, text = encoder.width, encoder.text_width
    return {
        **patch_shapes(encoder),
        "v.patch_embd.bias": (width,),
        "v.position_embd.weight": (encoder.n_patches**2, width),
        **block_shapes(encoder),
        **norm("mm.pre_norm", width, bias=False),
        "mm.0.weight": (2 * width, width, _SIDE, _SIDE),
        "mm.0.bias": (2 * width,),
        "mm.2.weight": (4 * width, 2 * width, 1, 1),
        "mm.2.bias": (4 * width,),
        **linear("mm.model.fc", text, 4 * width),
        **norm("mm.post_norm", text, bias=False),
        "mm.image_begin": (text,),
        "mm.image_end": (text,),
        "v.image_newline": (4 * width,),
        "v.view_seperator": (text,),
    }


def _weights(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    """The first place was a class's, which is not there."""
    if name.endswith("position_embedding.weight"):
        tensor = tensor.rows(1, tensor.shape[0])
    yield name, tensor


PROJECTORS = {
    "HunYuanVLForConditionalGeneration": (
        Projector("hunyuanvl", _shapes, _keys, _weights, pixels=CLIP_PIXELS, settings=_settings),
    )
}
