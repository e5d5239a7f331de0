"""Idefics 3's and SmolVLM's: SigLIP over square tiles, neighbours side by side, and one matrix."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.family import Keys, Named
from puna.convert.projector import EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, norm, patch_shapes
from puna.convert.tensor import Tensor

_MATRIX = "connector.modality_projection.proj.weight"


def _side(encoder: EncoderConfig) -> int:
    """Patches along a side of what becomes one token."""
    side = encoder.whole.whole("scale_factor", 2)
    if side < 1 or encoder.n_patches % side:
        raise encoder.whole.bad("scale_factor", side, f"a part of {encoder.n_patches}")
    return side


def _keys(encoder: EncoderConfig) -> Keys:
    size = encoder.images.part("size")
    longest = size.whole("longest_edge", encoder.own.whole("image_size"))
    return {
        "vision.projector.scale_factor": _side(encoder),
        "vision.preproc_image_size": longest,
    }


def _shapes(encoder: EncoderConfig) -> Shapes:
    return {
        **patch_shapes(encoder),
        "v.patch_embd.bias": (encoder.width,),
        "v.position_embd.weight": (encoder.n_patches**2, encoder.width),
        **block_shapes(encoder),
        **norm("v.post_ln", encoder.width),
        "mm.model.fc.weight": (encoder.text_width, encoder.width * _side(encoder) ** 2),
    }


def _weights(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith(_MATRIX):
        yield "mm.model.fc.weight", tensor
    else:
        yield f"vision_tower.{name}", tensor


_IDEFICS = (Projector("idefics3", _shapes, _keys, _weights),)

PROJECTORS = {
    "Idefics3ForConditionalGeneration": _IDEFICS,
    "SmolVLMForConditionalGeneration": _IDEFICS,
}
