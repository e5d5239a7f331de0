"""How much memory a projector takes to compute, beside its file, from its header alone. As the
engine measures it when it loads one: by a square image of a size that its kind decides, and by 30
seconds of sound.
"""

from __future__ import annotations

from puna.gguf.describe import Keys
from puna.gguf.reader import Header

__all__ = ["encoder_graph"]

_FLOAT = 4
_COLOURS = 3
_MERGE = 2
_FRAMES = 1500  # of 30 seconds, behind the convolutions of encoders of Whisper's kind
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


def encoder_graph(header: Header) -> int:
    """Bytes; 0 where the file has no encoder, or does not say how large it is."""
    keys = Keys(header.metadata)
    return _seeing(keys) + _hearing(keys)


def _hearing(keys: Keys) -> int:
    bands = keys.whole("audio.num_mel_bins") or 0
    width = keys.whole("audio.embedding_length") or 0
    n_ff = keys.whole("audio.feed_forward_length") or 0
    # two frames for each, and as halves for the kernel of three that goes over them
    return _FRAMES * max(2 * bands + 3 * bands, n_ff + 3 * width) * _FLOAT


def _seeing(keys: Keys) -> int:
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
