"""Gemma 4: an encoder over images of any size inside, perhaps one of sounds, which is left out."""

from __future__ import annotations

from puna.gguf.translation.clip import Pixels, begin_eye
from puna.gguf.translation.draft import Draft, Source

__all__ = ["eye", "is_foreign", "text"]

_PLAIN_PIXELS: Pixels = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_IMAGE_SIZE = 224  # pixels; a number that must be there, for images of any size
_ENCODERS = ("a.", "v.", "mm.", "model.vision_tower.")
_TOKENIZER = "tokenizer.ggml.model"


def is_foreign(source: Source) -> bool:
    """Whether an encoder is inside, or the tokenizer has the name of an older one."""
    return source.has(*_ENCODERS) or source.header.metadata.get(_TOKENIZER) == "llama"


def text(source: Source) -> Draft:
    """The text model."""
    draft = Draft(source)
    draft.drop(*_ENCODERS)
    if source.header.metadata.get(_TOKENIZER) == "llama":
        draft.put(_TOKENIZER, "gemma4")
    draft.rename(r"\.ffn_gate_inp\.per_expert_scale$", ".ffn_down_exps.scale")
    draft.fit_vocabulary()
    return draft


def eye(source: Source) -> Draft:
    """The encoder. Raises BadModelFile for what is missing."""
    draft = begin_eye(
        source, "gemma4v", renames=(), pixels=_PLAIN_PIXELS, sizes={"image_size": _IMAGE_SIZE}
    )
    draft.drop("mm.a.")
    if scale := source.keys.whole("vision.projector.scale_factor"):
        draft.put("clip.vision.projector.scale_factor", scale)
    draft.widen("v.patch_embd.weight")
    return draft
