"""What encoders of the kind of Qwen's have in one tensor and in several."""

from __future__ import annotations

from puna.errors import BadModelFile, quoted
from puna.gguf.translation.draft import Draft, check_parts

__all__ = ["FRAME_NAMES", "join_attention", "split_frames"]

FRAME_NAMES = (
    (r"^v\.patch_embd_0\.weight$", "v.patch_embd.weight"),
    (r"^v\.patch_embd_1\.weight$", "v.patch_embd.weight.1"),
)
"""What a convolution over pairs of frames is called where it is two: pairs for renaming."""

_FRAMES = 2


def join_attention(draft: Draft, n_blocks: int) -> None:
    """Queries, keys and values of each block become one tensor, unless they are one."""
    for block in range(n_blocks):
        for kind in ("weight", "bias"):
            parts = [f"v.blk.{block}.attn_{part}.{kind}" for part in "qkv"]
            if parts[0] in draft.tensors:
                draft.join(f"v.blk.{block}.attn_qkv.{kind}", parts)


def split_frames(draft: Draft, name: str, n_channels: int) -> None:
    """A convolution over pairs of frames, of shape (width, height, 2, outputs x channels), becomes
    two. Raises BadModelFile for another shape.
    """
    made = draft.need(name)
    shape = made.info.shape
    if len(shape) != 4 or shape[2] != _FRAMES or not n_channels or shape[3] % n_channels:
        raise BadModelFile(
            f"tensor {quoted(name)} of shape {list(shape)} is not a convolution of pairs of frames"
        )
    width, height, _, packed = shape
    check_parts(name, packed)
    size = width * height
    del draft.tensors[name]
    for frame in range(_FRAMES):
        spans = [draft.part(made, (_FRAMES * each + frame) * size, size) for each in range(packed)]
        draft.add(
            "v.patch_embd.weight" + ".1" * frame,
            (width, height, n_channels, packed // n_channels),
            "F32",
            spans,
        )
