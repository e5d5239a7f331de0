"""An encoder and its projector as a file of their own, as the engine's `clip` reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from puna.gguf.translation.draft import Draft, Source

__all__ = ["CLIP_PIXELS", "HALF_PIXELS", "Pixels", "begin_eye", "with_kind"]

Pixels = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and deviation of an image's colours."""

HALF_PIXELS: Pixels = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CLIP_PIXELS: Pixels = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))

_WHOLES = (
    "block_count",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "image_size",
    "patch_size",
)


def begin_eye(
    source: Source,
    kind: str,
    *,
    renames: Iterable[tuple[str, str]],
    pixels: Pixels = HALF_PIXELS,
    act: Literal["gelu", "silu"] = "gelu",
    norm_eps: float = 1e-6,
    sizes: dict[str, int] | None = None,
    beginnings: tuple[str, ...] = ("v.", "mm."),
) -> Draft:
    """A draft with what all encoders have, and the tensors under their new names.

    `sizes` has numbers that the source does not say. Raises BadModelFile for what is missing.
    """
    draft = Draft(source, beginnings=beginnings)
    draft.put("general.architecture", "clip")
    draft.put("general.type", "mmproj")
    draft.put("clip.has_vision_encoder", True)
    draft.put("clip.projector_type", kind)
    draft.put(f"clip.use_{act}", True)
    for name in _WHOLES:
        draft.put(f"clip.vision.{name}", source.need(f"vision.{name}", (sizes or {}).get(name)))
    eps = source.real("vision.attention.layer_norm_epsilon", norm_eps)
    draft.put("clip.vision.attention.layer_norm_epsilon", eps)
    draft.put("clip.vision.projection_dim", source.need("embedding_length"))
    for name, usual in zip(("image_mean", "image_std"), pixels, strict=True):
        own = source.reals(f"vision.{name}")
        draft.put(f"clip.vision.{name}", own if len(own) == 3 else usual)
    draft.rename_all(renames)
    return draft


def with_kind(source: Source) -> Draft | None:
    """A projector that does not say its kind, saying it: the first ones knew only LLaVA's. None for
    any other.
    """
    keys = source.keys
    told = keys.text("projector_type") or keys.text("vision.projector_type")
    if source.architecture != "clip" or told or not keys.is_true("has_vision_encoder"):
        return None
    draft = Draft(source)
    draft.put("clip.projector_type", "mlp")
    return draft
