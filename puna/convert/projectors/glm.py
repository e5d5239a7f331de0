"""Those of GLM-4V and GLM-OCR: images of any size, pairs of frames, four neighbours merged by a
convolution. GLM-OCR normalises queries and keys and learns no positions.
"""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import CLIP_PIXELS, EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.projectors.qwen_vl import FRAMES, MERGE, frame
from puna.convert.tensor import Tensor

_MERGER = "merger_intermediate_size"  # ours: the two models say it in different ways


def _keys(encoder: EncoderConfig) -> Keys:
    encoder.refuse("spatial_merge_size", MERGE)
    encoder.refuse("temporal_patch_size", FRAMES)
    encoder.refuse("hidden_act", "silu")
    return {
        "vision.spatial_merge_size": MERGE,
        "vision.attention.layer_norm_epsilon": encoder.own.real("rms_eps", 1e-5),
    }


def _around(encoder: EncoderConfig) -> Shapes:
    """What is before and after the blocks."""
    text, inner = encoder.own.whole("out_hidden_size"), encoder.own.whole(_MERGER)
    return {
        **patch_shapes(encoder),
        **patch_shapes(encoder, "v.patch_embd.weight.1"),
        "v.patch_embd.bias": (encoder.width,),
        **norm("v.post_ln", encoder.width, bias=False),
        "mm.patch_merger.weight": (text, encoder.width, MERGE, MERGE),
        "mm.patch_merger.bias": (text,),
        **linear("mm.model.fc", text, text, bias=False),
        **norm("mm.post_norm", text),
        **linear("mm.up", inner, text, bias=False),
        **linear("mm.gate", inner, text, bias=False),
        **linear("mm.down", text, inner, bias=False),
    }


def _glm4v(encoder: EncoderConfig) -> Shapes:
    bias = encoder.own.flag("attention_bias")
    return {
        **_around(encoder),
        "v.position_embd.weight": (encoder.n_patches**2, encoder.width),
        **norm("v.norm_embd", encoder.width, bias=False),
        **block_shapes(
            encoder, attention_bias=bias, ffn_bias=False, norm_bias=False, gate=True, fused=True
        ),
    }


def _glm_ocr(encoder: EncoderConfig) -> Shapes:
    bias = encoder.own.flag("attention_bias", True)
    shapes = {
        **_around(encoder),
        **block_shapes(
            encoder, attention_bias=bias, ffn_bias=bias, norm_bias=False, gate=True, fused=True
        ),
    }
    size = encoder.width // max(encoder.own.n_heads, 1)
    for block in range(encoder.own.n_layers):
        for part in "qk":
            shapes |= norm(f"v.blk.{block}.attn_{part}_norm", size, bias=False)
    return shapes


def _weights(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    if name == "visual.patch_embed.proj.weight":
        yield "v.patch_embd.weight", frame(tensor, 0)
        yield "v.patch_embd.weight.1", frame(tensor, 1)
    else:
        yield name, tensor


def _outer(own: Config) -> Config:
    """GLM-4V: `intermediate_size` is the merger's, the blocks are as wide inside as the text."""
    inner, outer = own.whole("intermediate_size"), own.whole("out_hidden_size")
    return Config({**own.top, _MERGER: inner, "intermediate_size": outer})


def _threefold(own: Config) -> Config:
    """GLM-OCR's merger is wider inside by as much as there are colours."""
    inner = own.whole("out_hidden_size") * own.whole("in_channels", 3)
    return Config({**own.top, _MERGER: inner})


_GLM4V = Projector("glm4v", _glm4v, _keys, _weights, pixels=CLIP_PIXELS, settings=_outer)

PROJECTORS = {
    "Glm4vForConditionalGeneration": (_GLM4V,),
    "Glm4vMoeForConditionalGeneration": (_GLM4V,),
    "GlmOcrForConditionalGeneration": (
        Projector("glm4v", _glm_ocr, _keys, _weights, pixels=CLIP_PIXELS, settings=_threefold),
    ),
}
