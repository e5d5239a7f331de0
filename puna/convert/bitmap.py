"""An image or a recording in the form in which libmtmd takes it."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_cpp import mtmd_cpp as _bindings

__all__ = ["Medium", "make_bitmap"]

_mtmd: Any = _bindings

Medium = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
"""An image's red, green and blue, shape (height, width, 3), or a recording in one channel from -1
to 1, at its encoder's rate, shape (number of samples,).
"""


def make_bitmap(medium: Medium) -> Any:
    """libmtmd's own copy, which `mtmd_bitmap_free` ends."""
    if medium.ndim == 1:
        samples = np.ascontiguousarray(medium, np.float32)
        sound = samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        return _mtmd.mtmd_bitmap_init_from_audio(len(samples), sound)
    pixels = np.ascontiguousarray(medium, np.uint8)
    height, width, _ = pixels.shape
    colours = pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
    return _mtmd.mtmd_bitmap_init(width, height, colours)
