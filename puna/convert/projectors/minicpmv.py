"""MiniCPM-V's: SigLIP over slices of an image, and a fixed number of learned queries that look at
what it makes of one. From 4.6 on four neighbours are merged instead, once among the blocks and once
behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import HALF_PIXELS, EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.projectors.towers import nested
from puna.convert.tensor import Tensor, made

_HEAD = 128  # values of a head of the queries', which the engine fixes
_PLACES = 70  # learned places along a side
_VERSIONS = {"2.5": 2, "2.6": 3, "4": 5, "4.0": 5, "4.5": 6}
_HEARING_VERSIONS = {"2.6": 4, "4.5": 100_045}
_NAMES = {
    "kv_proj.weight": "kv.weight",
    "attn.out_proj.weight": "attn.out.weight",
    "attn.out_proj.bias": "attn.out.bias",
}


def _version(encoder: EncoderConfig) -> int:
    """What the engine counts the versions by: it decides what stands around an image's slices."""
    whole = encoder.whole
    known = _HEARING_VERSIONS if whole.architecture == "MiniCPMO" else _VERSIONS
    version = str(whole.get("version"))
    if version not in known:
        raise whole.bad("version", whole.get("version"), f"one of {', '.join(known)}")
    return known[version]


def _placed_keys(encoder: EncoderConfig) -> Keys:
    """Of a tower whose learned places are spread over slices of any size."""
    whole, own = encoder.whole, encoder.own
    if whole.flag("drop_vision_last_layer"):
        raise whole.bad("drop_vision_last_layer", True, "false")
    if own.whole("image_size") != _PLACES * own.whole("patch_size"):
        raise own.bad("image_size", own.get("image_size"), f"{_PLACES} patches a side")
    return {"use_gelu": True, "vision.image_size": whole.whole("image_size", 448)}


def _keys(encoder: EncoderConfig) -> Keys:
    if encoder.text_width % _HEAD:
        raise encoder.whole.bad("width", encoder.text_width, f"a multiple of {_HEAD}")
    return {
        **_placed_keys(encoder),
        "vision.projection_dim": 0,
        "minicpmv_version": _version(encoder),
        "minicpmv_query_num": encoder.whole.whole("query_num", 64),
    }


def _tower(encoder: EncoderConfig) -> Shapes:
    return {
        **patch_shapes(encoder),
        "v.patch_embd.bias": (encoder.width,),
        "v.position_embd.weight": (_PLACES**2, encoder.width),
        **block_shapes(encoder),
        **norm("v.post_ln", encoder.width),
    }


def _shapes(encoder: EncoderConfig) -> Shapes:
    text, width = encoder.text_width, encoder.width
    shapes: dict[str, tuple[int, ...]] = {
        **_tower(encoder),
        "resampler.query": (encoder.whole.whole("query_num", 64), text),
        "resampler.pos_embed_k": (1, text),
        "resampler.proj.weight": (text, text),
        "resampler.kv.weight": (text, width),
    }
    for part in ("q", "k", "v", "out"):
        shapes |= linear(f"resampler.attn.{part}", text, text)
    for part in ("q", "kv", "post"):
        shapes |= norm(f"resampler.ln_{part}", text)
    return shapes


def _weights(encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    part = name.removeprefix("resampler.")
    if part == name:
        yield name.replace("vpm.", "vision_tower.vision_model.", 1), tensor
    elif part.startswith("attn.in_proj_"):
        text = encoder.text_width
        kind = part.removeprefix("attn.in_proj_")
        for letter, piece in zip("qkv", tensor.split(text, text, text), strict=True):
            yield f"resampler.attn.{letter}.{kind}", piece
    elif part == "proj":
        yield "resampler.proj.weight", tensor.transposed()
    else:
        yield f"resampler.{_NAMES.get(part, part)}", tensor


def _places(encoder: EncoderConfig, _weights: Mapping[str, Tensor]) -> Iterable[Named]:
    """The engine asks for the queries' table of places, and computes them itself."""
    yield "resampler.pos_embed_k", made(np.zeros((1, encoder.text_width)), "resampler.pos_embed_k")


def _is_siglip(own: Config) -> bool:
    return own.text_of("model_type", "siglip").startswith(("siglip", "idefics2"))


_RESAMPLER = Projector(
    "resampler",
    _shapes,
    _keys,
    _weights,
    _places,
    pixels=HALF_PIXELS,
    drop=r"^resampler\.(?:temporal_)?pos_embed$|^(?:apm|audio_\w+|tts)\.",
    suits=_is_siglip,
)

_IN_MERGER = {
    "layer_norm1": "ln1",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_out",
    "pre_norm": "ds_ln",
    "linear_1": "ds_ffn_up",
    "linear_2": "ds_ffn_down",
}
_LAST = {"pre_norm": "mm.input_norm", "linear_1": "mm.up", "linear_2": "mm.down"}
_MERGER, _BEHIND = "vision_tower.vit_merger.", "merger.mlp.0."


def _merged_keys(encoder: EncoderConfig) -> Keys:
    whole, own = encoder.whole, encoder.own
    encoder.refuse("window_kernel_size", [2, 2])
    for key, wanted in (
        ("downsample_mode", "16x"),
        ("merge_kernel_size", [2, 2]),
        ("merger_times", 1),
    ):
        if whole.has(key) and whole.get(key) != wanted:
            raise whole.bad(key, whole.get(key), str(wanted))
    return {
        **_placed_keys(encoder),
        "vision.projector.scale_factor": 4,
        "vision.wa_layer_indexes": [
            whole.whole("insert_layer_id", own.whole("insert_layer_id", 6))
        ],
    }


def _merged_shapes(encoder: EncoderConfig) -> Shapes:
    text, width, inner = encoder.text_width, encoder.width, 4 * encoder.own.whole("ffn")
    shapes: dict[str, tuple[int, ...]] = {
        **_tower(encoder),
        **norm("v.vit_merger.ln1", width),
        **norm("v.vit_merger.ds_ln", 4 * width),
        **linear("v.vit_merger.ds_ffn_up", inner, 4 * width),
        **linear("v.vit_merger.ds_ffn_down", width, inner),
        **norm("mm.input_norm", 4 * width),
        **linear("mm.up", 4 * width, 4 * width),
        **linear("mm.down", text, 4 * width),
    }
    for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
        shapes |= linear(f"v.vit_merger.{part}", width, width)
    return shapes


def _merged(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    for wrapper, places, begin in ((_MERGER, _IN_MERGER, "v.vit_merger."), (_BEHIND, _LAST, "")):
        stem, _, kind = name.removeprefix(wrapper).rpartition(".")
        if name.startswith(wrapper):
            yield f"{begin}{places.get(stem, stem)}.{kind}", tensor
            return
    yield nested(name), tensor


_MERGING = Projector("minicpmv4_6", _merged_shapes, _merged_keys, _merged, pixels=HALF_PIXELS)

PROJECTORS = {
    "MiniCPMV4_6ForConditionalGeneration": (_MERGING,),
    "MiniCPMV": (_RESAMPLER,),
    "MiniCPMO": (_RESAMPLER,),
}
