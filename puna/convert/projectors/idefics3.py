"""Idefics 3's and SmolVLM's: SigLIP over square tiles, neighbours side by side, and one matrix."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.family import Keys, Named
from puna.convert.projector import Projector, Shapes, Vision
from puna.convert.projectors.layers import block_shapes, norm, patch_shapes
from puna.convert.tensor import Tensor

_MATRIX = "connector.modality_projection.proj.weight"


def _side(vision: Vision) -> int:
    """Patches along a side of what becomes one token."""
    side = vision.whole.whole("scale_factor", 2)
    if side < 1 or vision.n_patches % side:
        raise vision.whole.bad("scale_factor", side, f"a part of {vision.n_patches}")
    return side


def _keys(vision: Vision) -> Keys:
    size = vision.images.part("size")
    longest = size.whole("longest_edge", vision.own.whole("image_size"))
    return {
        "vision.projector.scale_factor": _side(vision),
        "vision.preproc_image_size": longest,
    }


def _shapes(vision: Vision) -> Shapes:
    return {
        **patch_shapes(vision),
        "v.patch_embd.bias": (vision.width,),
        "v.position_embd.weight": (vision.n_patches**2, vision.width),
        **block_shapes(vision),
        **norm("v.post_ln", vision.width),
        "mm.model.fc.weight": (vision.text_width, vision.width * _side(vision) ** 2),
    }


def _weights(_vision: Vision, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith(_MATRIX):
        yield "mm.model.fc.weight", tensor
    else:
        yield f"vision_tower.{name}", tensor


_IDEFICS = (Projector("idefics3", _shapes, _keys, _weights),)

PROJECTORS = {
    "Idefics3ForConditionalGeneration": _IDEFICS,
    "SmolVLMForConditionalGeneration": _IDEFICS,
}
