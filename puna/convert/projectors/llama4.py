"""Llama 4's: square tiles, heads that rotate by column and row, the class behind the patches, four
neighbours or more shuffled into one.
"""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.family import Keys, Named
from puna.convert.projector import Projector, Shapes, Vision
from puna.convert.projectors.layers import block_shapes, norm
from puna.convert.tensor import Tensor

_ROPE_BASE = 10000.0  # the engine knows no other
_MATRIX = "multi_modal_projector.linear_1.weight"


def _side(vision: Vision) -> int:
    """Patches along a side of what becomes one token."""
    ratio = vision.own.real("pixel_shuffle_ratio", 0.5)
    side = round(1 / ratio) if ratio > 0 else 0
    if side < 1 or side * ratio != 1 or vision.n_patches % side:
        raise vision.own.bad("pixel_shuffle_ratio", ratio, "one part of the patches along a side")
    return side


def _keys(vision: Vision) -> Keys:
    vision.refuse("hidden_act", "gelu")
    if vision.own.rope_base != _ROPE_BASE:
        raise vision.own.bad("rope_theta", vision.own.rope_base, str(_ROPE_BASE))
    return {"vision.projector.scale_factor": _side(vision)}


def _shapes(vision: Vision) -> Shapes:
    own, width = vision.own, vision.width
    outer = own.whole("projector_output_dim")
    return {
        "v.patch_embd.weight": (width, 3 * own.whole("patch_size") ** 2),
        "v.class_embd": (width,),
        "v.position_embd.weight": (vision.n_patches**2 + 1, width),
        **norm("v.pre_ln", width),
        **norm("v.post_ln", width),
        **block_shapes(vision),
        "mm.model.mlp.1.weight": (own.whole("projector_input_dim"), width * _side(vision) ** 2),
        "mm.model.mlp.2.weight": (outer, outer),
        "mm.model.fc.weight": (vision.text_width, own.whole("vision_output_dim")),
    }


def _weights(_vision: Vision, name: str, tensor: Tensor) -> Iterable[Named]:
    """The tables of `gguf` know a later family by one of these names, and not this one."""
    if name == _MATRIX:
        yield "mm.model.fc.weight", tensor
    elif name == "vision_model.positional_embedding_vlm":
        yield "v.position_embd.weight", tensor
    elif ".post_attention_layernorm." in name:
        _, _, _, block, _, kind = name.split(".")
        yield f"v.blk.{block}.ln2.{kind}", tensor
    else:
        yield name, tensor


_LLAMA4 = Projector("llama4", _shapes, _keys, _weights, norm_eps=1e-5)

PROJECTORS = {"Llama4ForConditionalGeneration": (_LLAMA4,)}
