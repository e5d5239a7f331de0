"""RADIO, the encoder of Nemotron 3 Nano Omni: positions are kept for a larger image than any."""

from __future__ import annotations

import math

from puna.errors import BadModelFile, quoted
from puna.gguf.translation.clip import CLIP_PIXELS, begin_eye
from puna.gguf.translation.draft import Draft, Source, check_parts

__all__ = ["eye"]

_POSITIONS, _PATCHES = "v.position_embd.weight", "v.patch_embd.weight"
_RENAMES = (
    (r"^v\.position_embd$", _POSITIONS),
    (r"^v\.cls_embd$", "v.class_embd"),
    (r"^mm\.norm\.", "mm.model.mlp.0."),
    (r"^mm\.1\.", "mm.model.mlp.1."),
    (r"^mm\.2\.", "mm.model.mlp.3."),
)
_SIZES = {
    "block_count": 32,
    "embedding_length": 1280,
    "feed_forward_length": 5120,
    "attention.head_count": 16,
    "image_size": 512,
    "patch_size": 16,
}
_CHANNELS = 3


def eye(source: Source) -> Draft:
    """The encoder. Raises BadModelFile for what is missing or has an impossible shape."""
    draft = begin_eye(source, "nemotron_v2_vl", renames=_RENAMES, pixels=CLIP_PIXELS, sizes=_SIZES)
    draft.drop("mm.a.")
    draft.put("clip.vision.projector.scale_factor", source.need("vision.projector.scale_factor", 2))
    patch = source.need("vision.patch_size", _SIZES["patch_size"])
    side = source.need("vision.image_size", _SIZES["image_size"]) // max(patch, 1)
    check_parts(_POSITIONS, side * side)
    width, *counts = draft.need(_POSITIONS).info.shape or (0,)
    n_kept = math.isqrt(math.prod(counts))
    if n_kept**2 != math.prod(counts) or not 1 <= side <= n_kept:
        raise BadModelFile(f"tensor {quoted(_POSITIONS)} is no square of at least {side} a side")
    draft.resample(_POSITIONS, width, n_kept, side)
    draft.reshape(_PATCHES, (patch, patch, _CHANNELS, source.need("vision.embedding_length", 1280)))
    draft.widen(_PATCHES, "v.class_embd")
    return draft
