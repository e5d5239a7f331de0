"""LFM2-VL's: SigLIP 2 over images of any size, whose positions are stretched, neighbours put
together, and two matrices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.projectors.towers import nested
from puna.convert.tensor import Tensor

_LAST = -1


def _side(encoder: EncoderConfig) -> int:
    """Patches along a side of what becomes one token."""
    return encoder.whole.whole("downsample_factor", 2)


def _keys(encoder: EncoderConfig) -> Keys:
    layer = encoder.whole.get("vision_feature_layer")
    if layer not in (None, _LAST):
        raise encoder.whole.bad("vision_feature_layer", layer, "the last one")
    act = encoder.whole.text_of("projector_hidden_act", "gelu")
    if act != "gelu":
        raise encoder.whole.bad("projector_hidden_act", act, "gelu")
    return {"vision.projector.scale_factor": _side(encoder)}


def _shapes(encoder: EncoderConfig) -> Shapes:
    width, merged = encoder.width, encoder.width * _side(encoder) ** 2
    inner = encoder.whole.whole("projector_hidden_size", 2560)
    has_norm = encoder.whole.flag("projector_use_layernorm", True)
    return {
        **patch_shapes(encoder),
        "v.patch_embd.bias": (width,),
        "v.position_embd.weight": (encoder.own.whole("num_patches"), width),
        **block_shapes(encoder),
        **norm("v.post_ln", width),
        **(norm("mm.input_norm", merged) if has_norm else {}),
        **linear("mm.1", inner, merged),
        **linear("mm.2", encoder.text_width, inner),
    }


def _weights(encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith("embeddings.patch_embedding.weight"):
        tensor = _convolution(encoder, tensor)
    yield nested(name), tensor


def _convolution(encoder: EncoderConfig, tensor: Tensor) -> Tensor:
    """A matrix over the pixels of a patch, whose colours come last, as the convolution it is."""
    size = encoder.own.whole("patch_size")
    if len(tensor.shape) != 2 or tensor.shape[1] != 3 * size**2:
        raise tensor.bad(f"shape {list(tensor.shape)} is not that of patches of {size} pixels")
    width = tensor.shape[0]
    return tensor.changed(
        (width, 3, size, size),
        lambda values: values.reshape(width, size, size, 3).transpose(0, 3, 1, 2),
    )


def _sized(own: Config) -> Config:
    """The side of the square for which positions were learned."""
    places = own.whole("num_patches", 256)
    side = math.isqrt(places)
    if not side or side**2 != places:
        raise own.bad("num_patches", places, "a square")
    size = side * own.whole("patch_size")
    return Config({**own.top, "image_size": size, "num_patches": places})


PROJECTORS = {
    "Lfm2VlForConditionalGeneration": (
        Projector(
            "lfm2",
            _shapes,
            _keys,
            _weights,
            drop=r"vision_tower\.(vision_model\.)?head\.",
            settings=_sized,
        ),
    )
}
