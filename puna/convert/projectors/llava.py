"""LLaVA 1.5's: CLIP or SigLIP over a square image, read before its last block, and two matrices."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import CLIP_PIXELS, HALF_PIXELS, Projector, Shapes, Vision
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.projectors.towers import nested
from puna.convert.tensor import Tensor

_MATRICES = {"linear_1": "mm.0", "linear_2": "mm.2"}


def _depths(vision: Vision) -> list[int]:
    """After how many blocks the encoder is read; several readings stand side by side."""
    said = vision.whole.get("vision_feature_layer")
    layers = said if isinstance(said, list) and said else [-2 if said is None else said]
    n_blocks = vision.own.n_layers
    if any(type(layer) is not int for layer in layers):
        raise vision.whole.bad("vision_feature_layer", said, "numbers of layers")
    depths = [layer if layer >= 0 else n_blocks + 1 + layer for layer in layers]
    if depths != sorted(set(depths)) or not 0 <= depths[0] <= depths[-1] <= n_blocks:
        raise vision.whole.bad("vision_feature_layer", said, f"rising, up to {n_blocks} layers")
    return depths


def _keys(vision: Vision) -> Keys:
    """The engine reads before the last block, unless it is told something else."""
    depths = _depths(vision)
    usual = depths == [vision.own.n_layers - 1]
    return {"vision.feature_layer": None if usual else depths}


def _projected(vision: Vision) -> Shapes:
    text = vision.text_width
    act = vision.whole.text_of("projector_hidden_act", "gelu")
    if act != "gelu":
        raise vision.whole.bad("projector_hidden_act", act, "gelu")
    width = vision.width * len(_depths(vision))
    return {**linear("mm.0", text, width), **linear("mm.2", text, text)}


def _clip(vision: Vision) -> Shapes:
    _strategy(vision, "default")
    return {
        **patch_shapes(vision),
        "v.class_embd": (vision.width,),
        "v.position_embd.weight": (vision.n_patches**2 + 1, vision.width),
        **norm("v.pre_ln", vision.width),
        **block_shapes(vision),
        **_projected(vision),
    }


def _siglip(vision: Vision) -> Shapes:
    _strategy(vision, "full")
    return {
        **patch_shapes(vision),
        "v.patch_embd.bias": (vision.width,),
        "v.position_embd.weight": (vision.n_patches**2, vision.width),
        **block_shapes(vision),
        **_projected(vision),
    }


def _strategy(vision: Vision, wanted: str) -> None:
    """The engine leaves out the class's place where there is one, and nothing else."""
    said = vision.whole.text_of("vision_feature_select_strategy", "default")
    if said != wanted:
        raise vision.whole.bad("vision_feature_select_strategy", said, wanted)


def _weights(_vision: Vision, name: str, tensor: Tensor) -> Iterable[Named]:
    for theirs, ours in _MATRICES.items():
        name = name.replace(f"multi_modal_projector.{theirs}", ours)
    yield nested(name), tensor


def _is_clip(own: Config) -> bool:
    return own.text_of("model_type") == "clip_vision_model"


def _is_siglip(own: Config) -> bool:
    return own.text_of("model_type") == "siglip_vision_model"


_UNUSED = r"vision_tower\.(vision_model\.)?(post_layernorm|head)\."

PROJECTORS = {
    "LlavaForConditionalGeneration": (
        Projector(
            "mlp",
            _clip,
            _keys,
            _weights,
            norm_eps=1e-5,
            pixels=CLIP_PIXELS,
            drop=_UNUSED,
            suits=_is_clip,
        ),
        Projector(
            "mlp", _siglip, _keys, _weights, pixels=HALF_PIXELS, drop=_UNUSED, suits=_is_siglip
        ),
    )
}
