"""DeepSeek-OCR's: SAM over a page or its tiles, CLIP over what it makes of them, and one matrix for
both; a row of the page ends with a vector of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm
from puna.convert.tensor import Tensor

_SAM, _CLIP = "sam_vit_b", "clip-l-14-224"
_WINDOW = 14
_PATCH = 16  # pixels a side, of SAM
_NECK = 256  # channels
_PLACES = 1024 // _PATCH
_LOOK_EVERYWHERE = (2, 5, 8, 11)
_TILES = {"DeepseekOCRForCausalLM": 9, "UnlimitedOCRForCausalLM": 32}


def _numbers(own: Config, name: str) -> dict[str, Any]:
    """A part of what the maker calls the width, under the usual names."""
    parts = own.text.get("width")
    found = parts.get(name) if isinstance(parts, Mapping) else None
    if not isinstance(found, Mapping):
        raise own.bad(f"width.{name}", found, "an object")
    named = dict(found)
    named["hidden_size"] = named.pop("width", None)
    named["num_hidden_layers"] = named.pop("layers", None)
    named["num_attention_heads"] = named.pop("heads", None)
    return named


def _settings(own: Config) -> Config:
    clip = _numbers(own, _CLIP)
    wide = 4 * Config(clip).whole("width")
    fixed = {"intermediate_size": wide, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
    return Config({**clip, **fixed, _SAM: _numbers(own, _SAM)})


def _sam(encoder: EncoderConfig) -> Config:
    return encoder.own.part(_SAM)


def _keys(encoder: EncoderConfig) -> Keys:
    sam = _sam(encoder)
    looking = tuple(sam.items("global_attn_indexes"))
    n_blocks = sam.n_layers
    if looking != tuple(block for block in _LOOK_EVERYWHERE if block < n_blocks):
        raise sam.bad("global_attn_indexes", looking, "those that the engine knows")
    return {
        "use_gelu": True,
        "vision.window_size": _WINDOW,
        "vision.preproc_min_tiles": 2,
        "vision.preproc_max_tiles": _TILES[encoder.whole.architecture],
        "vision.sam.block_count": n_blocks,
        "vision.sam.embedding_length": sam.whole("width"),
        "vision.sam.head_count": sam.n_heads,
    }


def _shapes(encoder: EncoderConfig) -> Shapes:
    width, text = encoder.width, encoder.text_width
    channels = [n for n in _sam(encoder).items("downsample_channels") if type(n) is int]
    if len(channels) != 2:
        raise encoder.own.bad("downsample_channels", channels, "two numbers")
    first, last = channels
    return {
        **_sam_shapes(_sam(encoder)),
        "v.sam.neck.0.weight": (_NECK, _sam(encoder).whole("width"), 1, 1),
        **norm("v.sam.neck.1", _NECK),
        "v.sam.neck.2.weight": (_NECK, _NECK, 3, 3),
        **norm("v.sam.neck.3", _NECK),
        "v.sam.net_2.weight": (first, _NECK, 3, 3),
        "v.sam.net_3.weight": (last, first, 3, 3),
        "v.class_embd": (width,),
        "v.position_embd.weight": (encoder.n_patches**2 + 1, width),
        **norm("v.pre_ln", width),
        **block_shapes(encoder, fused=True),
        **linear("mm.model.fc", text, width + last),
        "v.image_newline": (text,),
        "v.view_seperator": (1, text),
    }


def _sam_shapes(sam: Config) -> Shapes:
    width = sam.whole("width")
    shapes: dict[str, tuple[int, ...]] = {
        "v.sam.pos_embd.weight": (1, _PLACES, _PLACES, width),
        "v.sam.patch_embd.weight": (width, 3, _PATCH, _PATCH),
        "v.sam.patch_embd.bias": (width,),
    }
    for block in range(sam.n_layers):
        stem = f"v.sam.blk.{block}"
        side = _PLACES if block in _LOOK_EVERYWHERE else _WINDOW
        for name in ("attn.pos_h", "attn.pos_w"):
            shapes[f"{stem}.{name}.weight"] = (2 * side - 1, width // sam.n_heads)
        shapes |= norm(f"{stem}.pre_ln", width)
        shapes |= norm(f"{stem}.post_ln", width)
        shapes |= linear(f"{stem}.attn.qkv", 3 * width, width)
        shapes |= linear(f"{stem}.attn.out", width, width)
        shapes |= linear(f"{stem}.mlp.lin1", 4 * width, width)
        shapes |= linear(f"{stem}.mlp.lin2", width, 4 * width)
    return shapes


def _weights(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    if name == "view_seperator":
        tensor = tensor.reshaped(1, -1)
    elif name.endswith(("pos_embed", "rel_pos_h", "rel_pos_w")):
        name += ".weight"
    yield f"model.{name}", tensor


_OCR = (
    Projector(
        "deepseekocr",
        _shapes,
        _keys,
        _weights,
        settings=_settings,
        drop=r"vision_model\.embeddings\.(?:patch_embedding|position_ids)",
    ),
)

PROJECTORS = {"DeepseekOCRForCausalLM": _OCR, "UnlimitedOCRForCausalLM": _OCR}
