"""Random quantised weights, drawn as blocks: no floating-point matrix is ever made of them."""

from __future__ import annotations

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType as Kind

__all__ = ["random_blocks"]

Bytes = npt.NDArray[np.uint8]

_SCALE = 1e-4  # the weights come out at some hundredths, as a trained model's do
_MEAN_Q4 = 7.5  # of the numbers 0 to 15
_Q6_SCALES = slice(192, 208)  # behind the low and the high bits of 256 numbers


def random_blocks(draw: np.random.Generator, kind: Kind, rows: int, columns: int) -> Bytes:
    """A matrix of Q4_K or Q6_K around zero, as the bytes of its rows."""
    weights, size = gguf.GGML_QUANT_SIZES[kind]
    count = rows * columns // weights
    blocks = np.frombuffer(draw.bytes(count * size), np.uint8).reshape(count, size).copy()
    if kind is Kind.Q4_K:  # number * scale * part - minimum * part
        blocks[:, 0:2] = _half(_SCALE)
        blocks[:, 2:4] = _half(_SCALE * _MEAN_Q4)
    elif kind is Kind.Q6_K:  # (number - 32) * scale * part
        parts = blocks[:, _Q6_SCALES].view(np.int8)
        parts >>= 3  # small ones, so that the scale is no subnormal number
        blocks[:, 208:210] = _half(_SCALE)
    else:
        raise ValueError(f"no recipe for {kind.name}")
    return blocks.reshape(rows, count // rows * size)


def _half(value: float) -> Bytes:
    return np.frombuffer(np.float16(value).tobytes(), np.uint8)
