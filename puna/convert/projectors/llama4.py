"""Llama 4's: square tiles, heads that rotate by column and row, the class behind the patches, four
neighbours or more shuffled into one.
"""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.family import Keys, Named
from puna.convert.projector import EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, norm
from puna.convert.tensor import Tensor

_ROPE_BASE = 10000.0  # the engine knows no other
_MATRIX = "multi_modal_projector.linear_1.weight"


def _side(encoder: EncoderConfig) -> int:
    """Patches along a side of what becomes one token."""
    ratio = encoder.own.real("pixel_shuffle_ratio", 0.5)
    side = round(1 / ratio) if ratio > 0 else 0
    if side < 1 or side * ratio != 1 or encoder.n_patches % side:
        raise encoder.own.bad("pixel_shuffle_ratio", ratio, "one part of the patches along a side")
    return side


def _keys(encoder: EncoderConfig) -> Keys:
    encoder.refuse("hidden_act", "gelu")
    if encoder.own.rope_base != _ROPE_BASE:
        raise encoder.own.bad("rope_theta", encoder.own.rope_base, str(_ROPE_BASE))
    return {"vision.projector.scale_factor": _side(encoder)}


def _shapes(encoder: EncoderConfig) -> Shapes:
    own, width = encoder.own, encoder.width
    outer = own.whole("projector_output_dim")
    return {
        "v.patch_embd.weight": (width, 3 * own.whole("patch_size") ** 2),
        "v.class_embd": (width,),
        "v.position_embd.weight": (encoder.n_patches**2 + 1, width),
        **norm("v.pre_ln", width),
        **norm("v.post_ln", width),
        **block_shapes(encoder),
        "mm.model.mlp.1.weight": (own.whole("projector_input_dim"), width * _side(encoder) ** 2),
        "mm.model.mlp.2.weight": (outer, outer),
        "mm.model.fc.weight": (encoder.text_width, own.whole("vision_output_dim")),
    }


def _weights(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
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
