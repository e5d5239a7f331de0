"""Qwen2.5-VL: the engine knows its text model as `qwen2vl`. Pairs of frames, blocks of which most
look at a window.
"""

from __future__ import annotations

from puna.gguf.translation.clip import CLIP_PIXELS, begin_eye
from puna.gguf.translation.draft import Draft, Source
from puna.gguf.translation.frames import FRAME_NAMES

__all__ = ["eye", "text"]

_IMAGE_SIZE = 560  # pixels; a number that must be there, for images of any size
_SECTIONS = (16, 24, 24)
_EVERY = 8  # blocks, of which one sees the whole image

_RENAMES = (
    (r"^v\.merger\.ln_q\.", "v.post_ln."),
    (r"^v\.merger\.mlp\.([02])\.", r"mm.\1."),
    *FRAME_NAMES,
)


def text(source: Source) -> Draft:
    """The text model."""
    draft = Draft(source)
    draft.drop("v.", "mm.")
    draft.rename_architecture("qwen2vl")
    sections = source.wholes("rope.mrope_section") or _SECTIONS
    draft.default("qwen2vl.rope.dimension_sections", (*sections, 0, 0, 0, 0)[:4])
    draft.fit_vocabulary()
    return draft


def eye(source: Source) -> Draft:
    """The encoder. Raises BadModelFile for what is missing."""
    up = source.tensor("v.blk.0.ffn_up.weight").shape
    draft = begin_eye(
        source,
        "qwen2.5vl_merger",
        renames=_RENAMES,
        pixels=CLIP_PIXELS,
        act="silu",
        sizes={"image_size": _IMAGE_SIZE, "feed_forward_length": up[-1]},
    )
    whole = source.wholes("vision.fullatt_block_indexes")
    draft.put("clip.vision.n_wa_pattern", whole[0] + 1 if whole else _EVERY)
    draft.put("clip.vision.spatial_merge_size", source.need("vision.spatial_merge_size", 2))
    draft.widen("v.patch_embd.weight", "v.patch_embd.weight.1")
    return draft
