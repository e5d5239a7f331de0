"""Qwen3-VL's, and Qwen3.5's with it: as Qwen2-VL's, with positions that are learned, and with what
some blocks compute handed to the text model's first layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.projectors.qwen_vl import FRAMES, MERGE, frame
from puna.convert.tensor import Tensor

_MERGER = {
    "visual.merger.norm": "v.post_ln",
    "visual.merger.linear_fc1": "mm.0",
    "visual.merger.linear_fc2": "mm.2",
}
_DEEP = {"norm": "norm", "linear_fc1": "fc1", "linear_fc2": "fc2"}


def _tapped(encoder: EncoderConfig) -> list[int]:
    """The blocks whose values are handed on, too."""
    blocks = list(encoder.own.items("deepstack_visual_indexes"))
    inside = all(type(block) is int and 0 <= block < encoder.own.n_layers for block in blocks)
    if not inside or blocks != sorted(set(blocks)):
        raise encoder.own.bad("deepstack_visual_indexes", blocks, "rising numbers of blocks")
    return blocks


def _keys(encoder: EncoderConfig) -> Keys:
    encoder.refuse("spatial_merge_size", MERGE)
    encoder.refuse("temporal_patch_size", FRAMES)
    tapped = _tapped(encoder)
    return {
        "vision.spatial_merge_size": MERGE,
        "vision.is_deepstack_layers": [n in tapped for n in range(encoder.own.n_layers)],
    }


def _shapes(encoder: EncoderConfig) -> Shapes:
    width, merged, text = encoder.width, encoder.width * MERGE**2, encoder.text_width
    shapes: dict[str, tuple[int, ...]] = {
        **patch_shapes(encoder),
        **patch_shapes(encoder, "v.patch_embd.weight.1"),
        "v.patch_embd.bias": (width,),
        "v.position_embd.weight": (encoder.own.whole("num_position_embeddings"), width),
        **norm("v.post_ln", width),
        **block_shapes(encoder, fused=True),
        **linear("mm.0", merged, merged),
        **linear("mm.2", text, merged),
    }
    for block in _tapped(encoder):
        shapes |= norm(f"v.deepstack.{block}.norm", merged)
        shapes |= linear(f"v.deepstack.{block}.fc1", merged, merged)
        shapes |= linear(f"v.deepstack.{block}.fc2", text, merged)
    return shapes


def _weights(encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    stem, _, kind = name.rpartition(".")
    if name == "visual.patch_embed.proj.weight":
        yield "v.patch_embd.weight", frame(tensor, 0)
        yield "v.patch_embd.weight.1", frame(tensor, 1)
    elif name.startswith("visual.deepstack_merger_list."):
        yield _deep(encoder, name, tensor), tensor
    else:
        yield f"{_MERGER.get(stem, stem)}.{kind}", tensor


def _deep(encoder: EncoderConfig, name: str, tensor: Tensor) -> str:
    """The number in a list of blocks becomes the block's own."""
    _, _, number, part, kind = name.split(".") if name.count(".") == 4 else ("", "", "", "", "")
    tapped = _tapped(encoder)
    if not number.isdecimal() or int(number) >= len(tapped) or part not in _DEEP:
        raise tensor.bad(f"config.json says that {len(tapped)} blocks are handed on")
    return f"v.deepstack.{tapped[int(number)]}.{_DEEP[part]}.{kind}"


def _sized(own: Config) -> Config:
    """The side of the square for which positions were learned."""
    places = own.whole("num_position_embeddings")
    side = math.isqrt(places)
    if not side or side**2 != places:
        raise own.bad("num_position_embeddings", places, "a square")
    return Config({"image_size": side * own.whole("patch_size"), **own.top})


_QWEN3 = (Projector("qwen3vl_merger", _shapes, _keys, _weights, settings=_sized),)

PROJECTORS = {
    "Qwen3VLForConditionalGeneration": _QWEN3,
    "Qwen3VLMoeForConditionalGeneration": _QWEN3,
    "Qwen3_5ForConditionalGeneration": _QWEN3,
    "Qwen3_5MoeForConditionalGeneration": _QWEN3,
}
