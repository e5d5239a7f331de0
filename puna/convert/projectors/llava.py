"""LLaVA 1.5's: CLIP or SigLIP over a square image, read before its last block, and two matrices."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import CLIP_PIXELS, HALF_PIXELS, EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.projectors.towers import nested
from puna.convert.tensor import Tensor

_MATRICES = {"linear_1": "mm.0", "linear_2": "mm.2"}


def _depths(encoder: EncoderConfig) -> list[int]:
    """After how many blocks the encoder is read; several readings stand side by side."""
    said = encoder.whole.get("vision_feature_layer")
    layers = said if isinstance(said, list) and said else [-2 if said is None else said]
    n_blocks = encoder.own.n_layers
    if any(type(layer) is not int for layer in layers):
        raise encoder.whole.bad("vision_feature_layer", said, "numbers of layers")
    depths = [layer if layer >= 0 else n_blocks + 1 + layer for layer in layers]
    if depths != sorted(set(depths)) or not 0 <= depths[0] <= depths[-1] <= n_blocks:
        raise encoder.whole.bad("vision_feature_layer", said, f"rising, up to {n_blocks} layers")
    return depths


def _keys(encoder: EncoderConfig) -> Keys:
    """The engine reads before the last block, unless it is told something else."""
    depths = _depths(encoder)
    usual = depths == [encoder.own.n_layers - 1]
    return {"vision.feature_layer": None if usual else depths}


def _projected(encoder: EncoderConfig) -> Shapes:
    text = encoder.text_width
    act = encoder.whole.text_of("projector_hidden_act", "gelu")
    if act != "gelu":
        raise encoder.whole.bad("projector_hidden_act", act, "gelu")
    width = encoder.width * len(_depths(encoder))
    return {**linear("mm.0", text, width), **linear("mm.2", text, text)}


def _clip(encoder: EncoderConfig) -> Shapes:
    _strategy(encoder, "default")
    return {
        **patch_shapes(encoder),
        "v.class_embd": (encoder.width,),
        "v.position_embd.weight": (encoder.n_patches**2 + 1, encoder.width),
        **norm("v.pre_ln", encoder.width),
        **block_shapes(encoder),
        **_projected(encoder),
    }


def _siglip(encoder: EncoderConfig) -> Shapes:
    _strategy(encoder, "full")
    return {
        **patch_shapes(encoder),
        "v.patch_embd.bias": (encoder.width,),
        "v.position_embd.weight": (encoder.n_patches**2, encoder.width),
        **block_shapes(encoder),
        **_projected(encoder),
    }


def _strategy(encoder: EncoderConfig, wanted: str) -> None:
    """The engine leaves out the class's place where there is one, and nothing else."""
    said = encoder.whole.text_of("vision_feature_select_strategy", "default")
    if said != wanted:
        raise encoder.whole.bad("vision_feature_select_strategy", said, wanted)


def _weights(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
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
