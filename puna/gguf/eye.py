"""How much memory a projector takes to compute, beside its file, from its header alone. As the
engine measures it when it loads one: by a square image of a size that its kind decides.
"""

from __future__ import annotations

from puna.gguf.describe import Keys
from puna.gguf.reader import Header

__all__ = ["eye_graph"]

_FLOAT = 4
_COLOURS = 3
_MERGE = 2
_SIDES: dict[str, tuple[int, int]] = {
    "dots_ocr": (46, _MERGE),
    "exaone4_5": (46, _MERGE),
    "gemma4v": (16, 3),
    "glm4v": (46, _MERGE),
    "glm5v": (46, _MERGE),
    "hunyuanvl": (32, _MERGE),
    "kimivl": (16, _MERGE),
    "lightonocr": (16, 1),
    "ling3vl": (46, _MERGE),
    "mimovl": (46, _MERGE),
    "paddleocr": (28, _MERGE),
    "pixtral": (16, 1),
    "qwen2vl_merger": (46, _MERGE),
    "qwen2.5vl_merger": (46, _MERGE),
    "qwen3vl_merger": (46, _MERGE),
}
"""Of kinds whose tokens follow an image's size: the tokens on a side, and the patches on a side of
one where the file does not say. All others take images of the size that the file says."""


def eye_graph(header: Header) -> int:
    """Bytes; 0 where the file has no encoder of images, or does not say how large it is."""
    keys = Keys(header.metadata)
    patch = keys.whole("vision.patch_size") or 0
    if not patch:
        return 0
    kind = keys.text("projector_type") or keys.text("vision.projector_type") or ""
    if kind in _SIDES:
        tokens, merge = _SIDES[kind]
        merge = (
            keys.whole("vision.spatial_merge_size")
            or keys.whole("vision.projector.scale_factor")
            or merge
        )
        side = tokens * merge
    else:
        side = (keys.whole("vision.image_size") or 0) // patch
    width = keys.whole("vision.embedding_length") or 0
    n_ff = keys.whole("vision.feed_forward_length") or 0
    pixels = _COLOURS * patch * patch
    widest = max(pixels + pixels // 2, pixels + n_ff, n_ff + 3 * width)
    return side * side * widest * _FLOAT
