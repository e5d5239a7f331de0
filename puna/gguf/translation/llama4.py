"""Llama 4: square tiles, heads that rotate by column and row, neighbours shuffled into one."""

from __future__ import annotations

from puna.errors import BadModelFile
from puna.gguf.translation.clip import begin_eye
from puna.gguf.translation.draft import Draft, Source

__all__ = ["eye", "is_foreign", "text"]

_LEAST_PART = 1 / 64  # of a side

_RENAMES = (
    (r"^v\.vision_adapter\.mlp\.fc([12])\.", r"mm.model.mlp.\1."),
    (r"^mm\.linear_1\.", "mm.model.fc."),
    (r"^v\.positional_embedding_vlm$", "v.position_embd.weight"),
    (r"^v\.class_embedding$", "v.class_embd"),
    (r"^v\.layernorm_(post|pre)\.", r"v.\1_ln."),
    (r"^v\.patch_embedding\.", "v.patch_embd."),
    (r"\.attn_output\.", ".attn_out."),
    (r"\.attn_norm\.", ".ln1."),
    (r"\.ffn_norm\.", ".ln2."),
    (r"\.mlp\.fc1\.", ".ffn_up."),
    (r"\.mlp\.fc2\.", ".ffn_down."),
)


def is_foreign(source: Source) -> bool:
    """Whether the encoder is inside."""
    return source.has("v.", "mm.")


def text(source: Source) -> Draft:
    """The text model."""
    draft = Draft(source)
    draft.drop("v.", "mm.")
    draft.fit_vocabulary()
    return draft


def eye(source: Source) -> Draft:
    """The encoder. Raises BadModelFile for what is missing."""
    draft = begin_eye(source, "llama4", renames=_RENAMES)
    eps = source.real("vision.layer_norm_epsilon", 1e-5)
    draft.put("clip.vision.attention.layer_norm_epsilon", eps)
    ratio = source.real("vision.pixel_shuffle_ratio", 0.5)
    side = round(1 / ratio) if ratio >= _LEAST_PART else 0
    if side < 1:
        raise BadModelFile(f"a pixel_shuffle_ratio of {ratio} is no part of a side")
    draft.put("clip.vision.projector.scale_factor", side)
    draft.widen("v.class_embd", "v.position_embd.weight")
    return draft
