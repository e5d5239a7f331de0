"""DeepSeek-OCR: two encoders inside, one after the other; the engine knows its text model as
`deepseek2-ocr`.
"""

from __future__ import annotations

from puna.gguf.translation.clip import begin_eye
from puna.gguf.translation.draft import Draft, Source

__all__ = ["eye", "text"]

_ENCODERS = ("s.", "v.", "mm.")
_NEW = "deepseek2-ocr"
_FIRST = "blk.1."  # the first block with experts: the one before has none

_RENAMES = (
    (r"^s\.position_embd$", "s.pos_embd.weight"),
    (r"^s\.", "v.sam."),
    (r"\.self_attn\.out_proj\.", ".attn_out."),
    (r"\.self_attn\.qkv_proj\.", ".attn_qkv."),
    (r"\.layer_norm([12])\.", r".ln\1."),
    (r"\.mlp\.fc1\.", ".ffn_up."),
    (r"\.mlp\.fc2\.", ".ffn_down."),
    (r"^v\.pre_layrnorm\.", "v.pre_ln."),
    (r"\.attn\.proj\.", ".attn.out."),
    (r"\.attn\.rel_pos_([hw])$", r".attn.pos_\1.weight"),
    (r"\.norm1\.", ".pre_ln."),
    (r"\.norm2\.", ".post_ln."),
    (r"^mm\.layers\.", "mm.model.fc."),
    (r"^mm\.(image_newline|view_seperator)$", r"v.\1"),
)


def text(source: Source) -> Draft:
    """The text model. Raises BadModelFile for what is missing."""
    draft = Draft(source)
    draft.drop(*_ENCODERS)
    draft.rename_architecture(_NEW)
    draft.default(f"{_NEW}.attention.layer_norm_rms_epsilon", 1e-6)
    width = source.tensor(f"{_FIRST}ffn_down_exps.weight").shape[0]
    shared = source.tensor(f"{_FIRST}ffn_down_shexp.weight").shape[0]
    draft.default(f"{_NEW}.expert_feed_forward_length", width)
    draft.default(f"{_NEW}.expert_shared_count", shared // max(width, 1))
    draft.fit_vocabulary()
    return draft


def eye(source: Source) -> Draft:
    """The encoders. Raises BadModelFile for what is missing."""
    draft = begin_eye(
        source,
        "deepseekocr",
        renames=_RENAMES,
        sizes={
            "feed_forward_length": 64,  # the engine asks for it and does not use it
            "attention.head_count": source.need("vision.head_count"),
        },
        beginnings=_ENCODERS,
    )
    for name in ("block_count", "embedding_length", "head_count"):
        draft.put(f"clip.vision.sam.{name}", source.need(f"sam.{name}"))
    draft.put("clip.vision.projector.scale_factor", 1)
    draft.put("clip.vision.window_size", 14)
    draft.widen("v.patch_embd.weight", "v.sam.patch_embd.weight", "v.position_embd.weight")
    return draft
