"""Qwen3-VL, and Qwen3.5 with it: pairs of frames, learned positions, and what some blocks compute
handed to the text model's first layers.
"""

from __future__ import annotations

import math
import re

from puna.gguf.translation.clip import begin_eye
from puna.gguf.translation.draft import Draft, Source
from puna.gguf.translation.frames import join_attention, split_frames

__all__ = ["eye", "is_foreign", "is_foreign_hybrid", "text", "text_of_hybrid"]

_SECTIONS = (24, 20, 20)
_SECTIONS_OF_HYBRID = (11, 11, 10)
_IMAGE_SIZE = 768  # pixels, where no positions are learned

_RENAMES = (
    (r"^v\.pos_embed\.", "v.position_embd."),
    (r"^v\.patch_embed\.", "v.patch_embd."),
    (r"^v\.merger\.norm\.", "v.post_ln."),
    (r"^v\.merger\.linear_fc1\.", "mm.0."),
    (r"^v\.merger\.linear_fc2\.", "mm.2."),
    (r"\.norm([12])\.", r".ln\1."),
    (r"\.mlp\.linear_fc1\.", ".ffn_up."),
    (r"\.mlp\.linear_fc2\.", ".ffn_down."),
)
_BLOCK = re.compile(r"blk\.(\d{1,6})\.")
_DEEP = re.compile(r"^v\.deepstack(?:_merger)?\.(\d+)\.(?:linear_)?(norm|fc1|fc2)\.")


def is_foreign(source: Source) -> bool:
    """Whether the encoder is inside, or a number that the engine needs is not there."""
    return source.has("v.", "mm.", "mtp.") or source.keys.find("rope.dimension_sections") is None


def is_foreign_hybrid(source: Source) -> bool:
    """The same of Qwen3.5: what is inside, or numbers and names that were others once."""
    sections = source.wholes("rope.dimension_sections")
    old = any(name.endswith(".ssm_dt") for name in source.tensors)
    return source.has("v.", "mm.", "mtp.") or old or len(sections) == 3


def text(source: Source) -> Draft:
    """The text model."""
    draft = Draft(source)
    draft.drop("v.", "mm.", "mtp.")
    _add_sections(draft, _SECTIONS)
    tapped = source.wholes("vision.deepstack_visual_indexes")
    draft.default(f"{source.architecture}.n_deepstack_layers", len(tapped))
    draft.fit_vocabulary()
    return draft


def text_of_hybrid(source: Source) -> Draft:
    """Qwen3.5's text model. The layers that guess further tokens are left out."""
    draft = Draft(source)
    draft.drop("v.", "mm.", "mtp.")
    if not any(".nextn." in name for name in source.tensors):
        draft.keys.pop(f"{source.architecture}.nextn_predict_layers", None)
        draft.put(f"{source.architecture}.block_count", _n_blocks(source))
    _add_sections(draft, _SECTIONS_OF_HYBRID)
    heads = source.wholes("attention.head_count_kv")
    if heads and max(heads) > 0:
        draft.put(f"{source.architecture}.attention.head_count_kv", max(heads))
    draft.rename(r"\.ssm_dt$", ".ssm_dt.bias")
    draft.fit_vocabulary()
    return draft


def _n_blocks(source: Source) -> int:
    """How many blocks there are: some files count those among them that are left out."""
    numbers = (_BLOCK.match(name) for name in source.tensors)
    return max((int(match[1]) + 1 for match in numbers if match), default=0)


def _add_sections(draft: Draft, usual: tuple[int, ...]) -> None:
    """How places in an image are divided: four numbers, of which the reference writes three."""
    source = draft.source
    own = source.wholes("rope.dimension_sections") or source.wholes("rope.mrope_section")
    draft.put(f"{source.architecture}.rope.dimension_sections", ((own or usual) + (0,) * 4)[:4])


def eye(source: Source) -> Draft:
    """The encoder. Raises BadModelFile for what is missing."""
    n_blocks = source.count("vision.block_count")
    patch = source.need("vision.patch_size")
    draft = begin_eye(source, "qwen3vl_merger", renames=_RENAMES, sizes=_sizes(source, patch))
    tapped = source.wholes("vision.deepstack_visual_indexes")
    draft.put("clip.vision.is_deepstack_layers", tuple(n in tapped for n in range(n_blocks)))
    draft.put("clip.vision.spatial_merge_size", source.need("vision.spatial_merge_size", 2))
    _rename_deep(draft, tapped)
    join_attention(draft, n_blocks)
    if "v.patch_embd.weight.1" not in draft.tensors:
        split_frames(draft, "v.patch_embd.weight", source.need("vision.num_channels", 3))
    draft.widen("v.position_embd.weight")
    return draft


def _sizes(source: Source, patch: int) -> dict[str, int]:
    """What follows from the shapes of tensors."""
    sizes = {"image_size": _IMAGE_SIZE}
    for name in source.tensors:
        if name in {"v.pos_embed.weight", "v.position_embd.weight"}:
            sizes["image_size"] = math.isqrt(source.tensor(name).shape[-1]) * patch
        elif name in {"v.blk.0.mlp.linear_fc1.weight", "v.blk.0.ffn_up.weight"}:
            sizes["feed_forward_length"] = source.tensor(name).shape[-1]
    return sizes


def _rename_deep(draft: Draft, tapped: tuple[int, ...]) -> None:
    """The number in a list of blocks becomes the block's own."""

    def own(match: re.Match[str]) -> str:
        number = int(match[1])
        block = tapped[number] if number < len(tapped) else number
        return f"v.deepstack.{block}.{match[2]}."

    draft.rename(_DEEP.pattern, own)
