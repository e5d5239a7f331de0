"""The element types of checkpoints and of GGUF: how wide they are, and how to go from one to
another.

numpy knows neither bfloat16 nor 8-bit floats: their arrays are of the unsigned type as wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from puna.errors import ConvertError

__all__ = ["STORAGE", "Array", "as_float32", "cast", "has_bad_values", "is_float", "itemsize"]

Array = NDArray[Any]

STORAGE: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "F64": np.dtype("<f8"),
        "F32": np.dtype("<f4"),
        "F16": np.dtype("<f2"),
        "BF16": np.dtype("<u2"),
        "F8_E4M3": np.dtype("u1"),
        "F8_E5M2": np.dtype("u1"),
        "F8_E8M0": np.dtype("u1"),
        "I64": np.dtype("<i8"),
        "I32": np.dtype("<i4"),
        "I16": np.dtype("<i2"),
        "I8": np.dtype("i1"),
        "U8": np.dtype("u1"),
        "BOOL": np.dtype("u1"),
        "MXFP4": np.dtype("u1"),
    }
)
"""By the name in a safetensors header, what numpy keeps the bytes as. MXFP4 is GGUF's, in blocks.
"""

_WIDE = frozenset({"F64", "F32", "F16", "BF16"})
_NARROW = frozenset({"F8_E4M3", "F8_E5M2", "F8_E8M0"})


def is_float(kind: str) -> bool:
    """Whether values of this kind can be cast to any other float."""
    return kind in _WIDE or kind in _NARROW


def itemsize(kind: str) -> int:
    """Bytes of one stored value."""
    return STORAGE[kind].itemsize


def as_float32(values: Array, kind: str) -> NDArray[np.float32]:
    """The values as float32, a copy but for F32. Raises ConvertError for what is no float."""
    if kind == "F32":
        return values.astype(np.float32, copy=False)
    if kind == "BF16":
        return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if kind in _NARROW:
        return _table(kind)[values]
    if kind in ("F16", "F64"):
        with np.errstate(over="ignore"):
            return values.astype(np.float32)
    raise ConvertError(f"unknown data type: {kind}")


def cast(values: Array, kind: str, target: str) -> Array:
    """The values as another kind, BF16 by rounding to nearest even, F16 with infinities."""
    if kind == target:
        return values
    floats = as_float32(values, kind)
    if target == "F32":
        return floats
    if target == "F16":
        with np.errstate(over="ignore"):
            return floats.astype(np.float16)
    if target == "BF16":
        bits = np.ascontiguousarray(floats).view(np.uint32)
        bits = bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
        return (bits >> np.uint32(16)).astype(np.uint16)
    raise ConvertError(f"unknown data type: {target}")


def has_bad_values(values: Array, kind: str) -> bool:
    """Whether a NaN or an infinity is among them. Kinds that are no floats have none."""
    if not values.size:
        return False
    if kind in ("BF16", "F16"):
        # all bits of the exponent set, with either sign: far faster than isfinite, and no copy
        exponent = 0x7F80 if kind == "BF16" else 0x7C00
        positive, negative = values.view(np.int16).max(), values.view(np.uint16).max()
        return bool(positive >= exponent or negative >= 0x8000 | exponent)
    if kind in ("F32", "F64"):
        return not bool(np.isfinite(values).all())
    if kind in _NARROW:
        return not bool(np.isfinite(_table(kind)[values]).all())
    return False


@cache
def _table(kind: str) -> NDArray[np.float32]:
    """The 256 values of an 8-bit float."""
    codes = np.arange(256)
    if kind == "F8_E8M0":
        powers = np.ldexp(1.0, codes - 127)
        powers[255] = np.nan
        return powers.astype(np.float32)
    mantissa_bits, bias = (3, 7) if kind == "F8_E4M3" else (2, 15)
    exponent = (codes & 0x7F) >> mantissa_bits
    mantissa = (codes & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    size = np.where(
        exponent == 0,
        np.ldexp(mantissa, np.full(256, 1 - bias)),
        np.ldexp(1 + mantissa, exponent - bias),
    )
    if kind == "F8_E4M3":  # no infinities, one NaN of each sign
        size[(codes & 0x7F) == 0x7F] = np.nan
    else:
        size[exponent == 31] = np.where(mantissa[exponent == 31] == 0, np.inf, np.nan)
    table: NDArray[np.float32] = np.where(codes & 0x80, -size, size).astype(np.float32)
    return table
