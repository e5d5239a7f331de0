"""GLM-OCR: the engine knows its text model as `glm4`, whose feed-forward network has one matrix in
place of two.
"""

from __future__ import annotations

from puna.errors import BadModelFile
from puna.gguf.translation.clip import CLIP_PIXELS, begin_eye
from puna.gguf.translation.draft import Draft, Source
from puna.gguf.translation.frames import FRAME_NAMES

__all__ = ["eye", "text"]

_TEXT_RENAMES = (
    (r"\.attn_out\.", ".attn_output."),
    (r"\.post_attn_norm\.", ".post_attention_norm."),
    (r"\.post_ffn_norm\.", ".post_ffw_norm."),
)


def text(source: Source) -> Draft:
    """The text model. Raises BadModelFile for what is missing."""
    draft = Draft(source)
    draft.drop("v.", "mm.")
    draft.rename_architecture("glm4")
    sections = source.wholes("rope.mrope_section")
    if sections:
        draft.default("glm4.rope.dimension_sections", (*sections, 0, 0, 0, 0)[:4])
    turned = source.real("rope.partial_rotary_factor", 1.0)
    if not 0 < turned <= 1:
        raise BadModelFile(f"a partial_rotary_factor of {turned} is no part of a head")
    draft.default("glm4.rope.dimension_count", int(source.need("attention.key_length") * turned))
    draft.put("tokenizer.ggml.pre", "chatglm-bpe")
    draft.rename_all(_TEXT_RENAMES)
    for block in range(source.count("block_count")):
        gate, up = (f"blk.{block}.ffn_{part}.weight" for part in ("gate", "up"))
        if gate in draft.tensors:
            draft.join(up, (gate, up))
    draft.fit_vocabulary()
    return draft


def eye(source: Source) -> Draft:
    """The encoder. Raises BadModelFile for what is missing."""
    sizes = {"feed_forward_length": source.need("vision.intermediate_size", 0)}
    draft = begin_eye(
        source, "glm4v", renames=FRAME_NAMES, pixels=CLIP_PIXELS, act="silu", sizes=sizes
    )
    eps = source.real("vision.attention.layer_norm_rms_epsilon", 1e-5)
    draft.put("clip.vision.attention.layer_norm_epsilon", eps)
    draft.put("clip.vision.spatial_merge_size", source.need("vision.spatial_merge_size", 2))
    outer = source.need("vision.out_hidden_size", source.need("embedding_length"))
    draft.put("clip.vision.projection_dim", outer)
    draft.widen("v.patch_embd.weight", "v.patch_embd.weight.1")
    return draft
