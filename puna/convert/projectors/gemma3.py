"""Gemma 3's: SigLIP over a square image, groups of neighbours averaged, a norm and one matrix."""

from __future__ import annotations

import math
from collections.abc import Iterable

from puna.convert.family import Keys, Named
from puna.convert.projector import EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, norm, patch_shapes
from puna.convert.projectors.towers import nested
from puna.convert.tensor import Tensor

_USUAL_SIDE = 4
"""Patches along a side of what is averaged, unless the file says another number."""


def _side(encoder: EncoderConfig) -> int:
    """Patches along a side of what becomes one token."""
    tokens = encoder.whole.whole("mm_tokens_per_image", 256)
    along = math.isqrt(tokens)
    if not along or along**2 != tokens or encoder.n_patches % along:
        square = f"a square that parts {encoder.n_patches} patches a side"
        raise encoder.whole.bad("mm_tokens_per_image", tokens, square)
    return encoder.n_patches // along


def _keys(encoder: EncoderConfig) -> Keys:
    side = _side(encoder)
    return {"vision.projector.scale_factor": None if side == _USUAL_SIDE else side}


def _shapes(encoder: EncoderConfig) -> Shapes:
    return {
        **patch_shapes(encoder),
        "v.patch_embd.bias": (encoder.width,),
        "v.position_embd.weight": (encoder.n_patches**2, encoder.width),
        **block_shapes(encoder),
        **norm("v.post_ln", encoder.width),
        "mm.soft_emb_norm.weight": (encoder.width,),
        "mm.input_projection.weight": (encoder.width, encoder.text_width),
    }


def _weights(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    """The projector's norm counts from one; its matrix stands the other way round, as here."""
    if name.endswith("mm_soft_emb_norm.weight"):
        yield "mm.soft_emb_norm.weight", tensor.plus(1)
    elif name.endswith("mm_input_projection_weight"):
        yield "mm.input_projection.weight", tensor
    else:
        yield nested(name), tensor


PROJECTORS = {
    "Gemma3ForConditionalGeneration": (
        Projector(
            "gemma3", _shapes, _keys, _weights, drop=r"vision_model\.head\.|vision_tower\.head\."
        ),
    )
}
