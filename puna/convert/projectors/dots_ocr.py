"""Those of dots.ocr: images of any size, norms without offsets, four neighbours merged behind."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import CLIP_PIXELS, EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.tensor import Tensor

_SIDE = 2  # patches along a side of what becomes one token
_LEAST, _MOST = 3136, 11_289_600  # pixels, where no file says it
_PARTS = {
    "vision_tower.patch_embed.patchifier.norm.": "v.pre_ln.",
    "vision_tower.post_trunk_norm.": "mm.post_norm.",
    "vision_tower.merger.ln_q.": "mm.input_norm.",
    "vision_tower.merger.mlp.": "mm.",
}
_NETWORK = {".fc1.": ".gate_proj.", ".fc2.": ".down_proj.", ".fc3.": ".up_proj."}


def _settings(own: Config) -> Config:
    """`hidden_size` is the text model's; any size of images will do."""
    fixed = {"hidden_size": own.whole("embed_dim"), "image_size": 0, "hidden_act": "silu"}
    return Config({**own.top, **fixed})


def _keys(encoder: EncoderConfig) -> Keys:
    own, images = encoder.own, encoder.images
    encoder.refuse("spatial_merge_size", _SIDE)
    encoder.refuse("temporal_patch_size", 1)
    encoder.refuse("post_norm", True)
    encoder.refuse("use_bias", False)
    return {
        "vision.attention.layer_norm_epsilon": own.positive("rms_eps", 1e-5),
        "vision.projector.scale_factor": _SIDE,
        "vision.image_min_pixels": images.whole("min_pixels", _LEAST),
        "vision.image_max_pixels": images.whole("max_pixels", _MOST),
    }


def _shapes(encoder: EncoderConfig) -> Shapes:
    width, wide = encoder.width, encoder.width * _SIDE**2
    return {
        **patch_shapes(encoder),
        "v.patch_embd.bias": (width,),
        **norm("v.pre_ln", width, bias=False),
        **block_shapes(
            encoder, attention_bias=False, ffn_bias=False, norm_bias=False, gate=True, fused=True
        ),
        **norm("mm.post_norm", width, bias=False),
        **norm("mm.input_norm", width),
        **linear("mm.0", wide, wide),
        **linear("mm.2", encoder.text_width, wide),
    }


def _weights(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    for theirs, ours in _PARTS.items():
        if name.startswith(theirs):
            yield name.replace(theirs, ours, 1), tensor
            return
    if ".mlp." in name:
        name = name.replace("vision_tower.", "visual.", 1)
        for theirs, ours in _NETWORK.items():
            name = name.replace(theirs, ours)
    yield name, tensor


PROJECTORS = {
    "DotsOCRForCausalLM": (
        Projector("dots_ocr", _shapes, _keys, _weights, pixels=CLIP_PIXELS, settings=_settings),
    )
}
