"""Gemma 3: SigLIP over a square image inside, and some names of keys that were others once."""

from __future__ import annotations

import math

from puna.errors import BadModelFile
from puna.gguf.translation.clip import begin_eye
from puna.gguf.translation.draft import Draft, Source

__all__ = ["eye", "is_foreign", "text"]

_USUAL_TOKENS = 256
_STRETCHED = 131_072  # tokens; such long contexts were trained with stretched positions
_OLD_KEYS = (
    "gemma3.rope.global.freq_base",
    "gemma3.rope.local.freq_base",
    "tokenizer.ggml.add_padding_token",
    "tokenizer.ggml.add_unknown_token",
)

_RENAMES = (
    (r"^v\.patch_embedding", "v.patch_embd"),
    (r"^v\.position_embedding", "v.position_embd"),
    (r"^v\.post_layernorm", "v.post_ln"),
    (r"\.layer_norm([12])\.", r".ln\1."),
    (r"\.attn_output\.", ".attn_out."),
    (r"\.mlp\.fc1\.", ".ffn_up."),
    (r"\.mlp\.fc2\.", ".ffn_down."),
    (r"^mm\.mm_input_projection", "mm.input_projection"),
    (r"^mm\.mm_soft_emb_norm", "mm.soft_emb_norm"),
)


def is_foreign(source: Source) -> bool:
    """Whether it was written by the reference: its own keys, or the absence of one that must be."""
    keys = source.header.metadata
    return (
        source.has("v.", "mm.")
        or any(key in keys for key in _OLD_KEYS)
        or "gemma3.attention.layer_norm_rms_epsilon" not in keys
    )


def text(source: Source) -> Draft:
    """The text model. What files leave out is the same in all sizes."""
    draft = Draft(source)
    draft.drop("v.", "mm.")
    draft.copy_key("gemma3.rope.global.freq_base", "gemma3.rope.freq_base")
    draft.copy_key("gemma3.rope.local.freq_base", "gemma3.rope.freq_base_swa")
    draft.default("gemma3.attention.layer_norm_rms_epsilon", 1e-6)
    draft.default("gemma3.rope.freq_base", 1_000_000.0)
    draft.default("gemma3.rope.freq_base_swa", 10_000.0)
    if (source.keys.whole("context_length") or 0) >= _STRETCHED:
        draft.default("gemma3.rope.scaling.type", "linear")
        draft.default("gemma3.rope.scaling.factor", 8.0)
    draft.fit_vocabulary()
    return draft


def eye(source: Source) -> Draft:
    """The encoder. Raises BadModelFile for what is missing."""
    draft = begin_eye(source, "gemma3", renames=_RENAMES)
    draft.widen("v.patch_embd.weight", "v.position_embd.weight")
    tokens = source.keys.whole("mm.tokens_per_image") or _USUAL_TOKENS
    n_patches = source.need("vision.image_size") // max(source.need("vision.patch_size"), 1)
    along = math.isqrt(tokens)
    if along**2 != tokens or not along or n_patches % along:
        raise BadModelFile(f"{tokens} tokens are no square of {n_patches} patches a side")
    draft.put("clip.vision.projector.scale_factor", n_patches // along)
    return draft
