"""Pixtral's, and Mistral Small's with it: images of any size, heads that rotate by row and column,
a token between rows. LightOnOCR has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import CLIP_PIXELS, EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.tensor import Tensor
from puna.errors import BadCheckpoint

_BREAK = "[IMG_BREAK]"
_ROPE_BASE = 10000.0  # the engine knows no other


def _merge(encoder: EncoderConfig) -> int:
    """Patches along a side of what becomes one token; 0 where there is no merging."""
    return encoder.whole.whole("spatial_merge_size", 0)


def _keys(encoder: EncoderConfig) -> Keys:
    if encoder.own.rope_base != _ROPE_BASE:
        raise encoder.own.bad("rope_theta", encoder.own.rope_base, str(_ROPE_BASE))
    encoder.refuse("head_dim", encoder.width // encoder.own.n_heads)
    return {"vision.spatial_merge_size": _merge(encoder) or None}


def _shapes(encoder: EncoderConfig) -> Shapes:
    text, width, merge = encoder.text_width, encoder.width, _merge(encoder)
    bias = encoder.whole.flag("multimodal_projector_bias", not merge)
    merger: Shapes = {
        "mm.input_norm.weight": (width,),
        "mm.patch_merger.weight": (width, width * merge**2),
    }
    return {
        **patch_shapes(encoder),
        **norm("v.pre_ln", width, bias=False),
        **block_shapes(encoder, attention_bias=False, ffn_bias=False, norm_bias=False, gate=True),
        **(merger if merge else {}),
        **linear("mm.1", text, width, bias=bias),
        **linear("mm.2", text, text, bias=bias),
    }


def _with_break(encoder: EncoderConfig) -> Shapes:
    return {**_shapes(encoder), "v.token_embd.img_break": (encoder.text_width,)}


def _weights(encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith(("q_proj.weight", "k_proj.weight")):
        tensor = tensor.unrotated(encoder.own.n_heads)
    yield name, tensor


def _lighton_keys(encoder: EncoderConfig) -> Keys:
    """Images are made as long as this, and no longer."""
    longest = encoder.images.part("size").whole("longest_edge", encoder.own.whole("image_size"))
    return {**_keys(encoder), "vision.preproc_image_size": longest}


def _lighton(encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    name = name.replace("vision_encoder.", "vision_tower.", 1)
    name = name.replace("vision_projection.", "multi_modal_projector.", 1)
    yield from _weights(encoder, name, tensor)


def _break(encoder: EncoderConfig, weights: Mapping[str, Tensor]) -> Iterable[Named]:
    """The text model's embedding of the token that ends a row of patches."""
    if _BREAK not in encoder.tokens:
        raise BadCheckpoint("tokenizer.json", f"has no added token {_BREAK}")
    row = encoder.tokens[_BREAK]
    for name, tensor in weights.items():
        if name.endswith("embed_tokens.weight"):
            yield "v.token_embd.img_break", tensor.rows(row, row + 1).reshaped(-1)


def _is_pixtral(own: Config) -> bool:
    return own.text_of("model_type") == "pixtral"


_PIXTRAL = Projector(
    "pixtral",
    _with_break,
    _keys,
    _weights,
    _break,
    norm_eps=1e-5,
    pixels=CLIP_PIXELS,
    suits=_is_pixtral,
)

_LIGHTON = Projector(
    "lightonocr",
    _shapes,
    _lighton_keys,
    _lighton,
    norm_eps=1e-5,
    pixels=CLIP_PIXELS,
    suits=_is_pixtral,
)

PROJECTORS = {
    "LightOnOCRForConditionalGeneration": (_LIGHTON,),
    "LightOnOcrForConditionalGeneration": (_LIGHTON,),
    "LlavaForConditionalGeneration": (_PIXTRAL,),
    "Mistral3ForConditionalGeneration": (_PIXTRAL,),
}
