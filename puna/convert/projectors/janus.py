"""Janus-Pro's: SigLIP over a square image, and two matrices."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Named
from puna.convert.projector import HALF_PIXELS, EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.tensor import Tensor

_MATRICES = {"aligner.fc1.": "mm.0.", "aligner.hidden_layers.0.": "mm.1."}


def _settings(own: Config) -> Config:
    inner = int(own.whole("width") * own.positive("mlp_ratio", 4.0))
    return Config({**own.top, "intermediate_size": inner})


def _shapes(encoder: EncoderConfig) -> Shapes:
    text, width = encoder.text_width, encoder.width
    encoder.refuse("depth", 2)
    encoder.refuse("use_qk_norm", False)
    return {
        **patch_shapes(encoder),
        "v.patch_embd.bias": (width,),
        "v.position_embd.weight": (encoder.n_patches**2, width),
        **block_shapes(encoder),
        **norm("v.post_ln", width),
        **linear("mm.0", text, width),
        **linear("mm.1", text, text),
    }


def _weights(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    for theirs, ours in _MATRICES.items():
        if name.startswith(theirs):
            yield name.replace(theirs, ours), tensor
            return
    name = name.replace(".self_attn.projection_layer.", ".self_attn.out_proj.")
    yield name.replace("vision_model.", "vision_tower.vision_model.", 1), tensor


PROJECTORS = {
    "JanusForConditionalGeneration": (
        Projector("janus_pro", _shapes, weights=_weights, pixels=HALF_PIXELS, settings=_settings),
    )
}
