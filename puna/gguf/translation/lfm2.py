"""LFM2, and LFM2-VL with SigLIP 2 inside."""

from __future__ import annotations

from puna.gguf.translation.clip import begin_eye
from puna.gguf.translation.draft import Draft, Source

__all__ = ["eye", "is_foreign", "text"]

_OLD_NORM, _NORM = "output_norm.weight", "token_embd_norm.weight"
_GATE = "blk.0.ffn_gate.weight"
_RENAMES = ((r"^mm\.layer_norm\.", "mm.input_norm."),)


def is_foreign(source: Source) -> bool:
    """Whether the encoder is inside, or the last norm has the name that others have."""
    return source.has("v.", "mm.") or (_OLD_NORM in source.tensors and _NORM not in source.tensors)


def text(source: Source) -> Draft:
    """The text model. Some files tell another width of the feed-forward network than they have."""
    draft = Draft(source)
    draft.drop("v.", "mm.")
    if _NORM not in source.tensors:
        draft.rename(r"^output_norm\.weight$", _NORM)
    draft.put("tokenizer.ggml.pre", "lfm2")
    if _GATE in source.tensors:
        n_ff = source.tensor(_GATE).shape[-1]
        draft.put(f"{source.architecture}.feed_forward_length", n_ff)
    draft.fit_vocabulary()
    return draft


def eye(source: Source) -> Draft:
    """The encoder. Raises BadModelFile for what is missing."""
    draft = begin_eye(source, "lfm2", renames=_RENAMES)
    scale = source.need("vision.projector.scale_factor", 2)
    draft.put("clip.vision.projector.scale_factor", scale)
    draft.widen("v.patch_embd.weight", "v.position_embd.weight")
    return draft
