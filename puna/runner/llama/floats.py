"""Values of any of the engine's tensor types as F32, by the engine's own functions."""

from __future__ import annotations

import ctypes

import numpy as np

from puna.convert.unwritten import Floats, widen_floats
from puna.errors import BadModelFile
from puna.gguf.types import TENSOR_TYPES, TYPE_NUMBERS
from puna.runner.llama.devices import ggml_library

__all__ = ["widen"]

_TO_FLOAT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


class _Traits(ctypes.Structure):
    """The beginning of `ggml_type_traits`."""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("block", ctypes.c_int64),
        ("block_interleave", ctypes.c_int64),
        ("block_bytes", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.c_void_p),
    )


def widen(data: bytes, type_name: str) -> Floats:
    """The values that `data` holds. Raises BadModelFile for types of which there are none."""
    if type_name in {"F32", "F16"}:
        return widen_floats(data, type_name)
    number = TYPE_NUMBERS[type_name]
    kind, traits = TENSOR_TYPES[number], _traits(number)
    if (traits.block, traits.block_bytes) != (kind.block, kind.block_bytes) or not traits.to_float:
        raise BadModelFile(f"values of type {type_name} cannot be read as numbers")
    out = np.empty(len(data) // kind.block_bytes * kind.block, np.float32)
    _TO_FLOAT(traits.to_float)(data, out.ctypes.data, out.size)
    return out


def _traits(number: int) -> _Traits:
    find = ggml_library().ggml_get_type_traits
    find.argtypes, find.restype = [ctypes.c_int], ctypes.POINTER(_Traits)
    found: _Traits = find(number).contents
    return found
