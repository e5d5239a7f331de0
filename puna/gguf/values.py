"""Reads the metadata of a GGUF file: keys, and values of the thirteen types, within limits."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from puna.errors import BadModelFile
from puna.gguf.cursor import Cursor
from puna.gguf.types import SCALARS, ValueType

__all__ = [
    "MAX_ARRAY",
    "MAX_KEY",
    "MAX_KEYS",
    "ArrayInfo",
    "Plain",
    "Value",
    "locate_metadata",
    "read_metadata",
    "read_strings",
]

MAX_KEYS = 1 << 16  # real files have under a hundred
MAX_KEY = (1 << 16) - 1  # bytes
MAX_ARRAY = 64 << 20  # elements
SMALL_ARRAY = 4096  # numbers: one for each layer, at most; always worth keeping
LEAST_KEY_BYTES = 13  # a length, no characters, a type, one byte

Plain = int | float | bool | str


@dataclass(frozen=True, slots=True)
class ArrayInfo:
    """An array whose elements were passed over."""

    kind: ValueType
    count: int


Value = Plain | tuple[Plain, ...] | ArrayInfo


def read_metadata(
    cursor: Cursor, n_keys: int, *, count_code: str, arrays: bool
) -> Mapping[str, Value]:
    """Read `n_keys` keys and their values.

    `count_code` is the `struct` letter of an array's count, which differs between versions. Without
    `arrays`, only numeric arrays of up to 4096 elements are kept and others become `ArrayInfo`.
    Raises BadModelFile.
    """
    return dict(_pairs(cursor, n_keys, count_code, arrays))


def locate_metadata(cursor: Cursor, n_keys: int, *, count_code: str) -> Mapping[str, range]:
    """Pass over `n_keys` keys and their values: where in the file each pair lies.

    Raises BadModelFile.
    """
    places, start = {}, cursor.position
    for key, _ in _pairs(cursor, n_keys, count_code, arrays=False):
        places[key] = range(start, cursor.position)
        start = cursor.position
    return places


def read_strings(cursor: Cursor, most: int, *, count_code: str) -> tuple[str, ...]:
    """The first strings of an array, from a cursor that stands before its key; empty where the
    value is another. Raises BadModelFile.
    """
    cursor.about("key", cursor.string(MAX_KEY))
    if _read_kind(cursor) is not ValueType.ARRAY or _read_kind(cursor) is not ValueType.STRING:
        return ()
    return tuple(cursor.strings(min(cursor.whole(count_code), most)))


def _pairs(
    cursor: Cursor, n_keys: int, count_code: str, arrays: bool
) -> Iterator[tuple[str, Value]]:
    if n_keys > MAX_KEYS:
        raise cursor.bad(f"{n_keys} metadata keys are over the limit of {MAX_KEYS}")
    if n_keys * LEAST_KEY_BYTES > cursor.left:
        raise cursor.bad(f"unexpected EOF: no room for {n_keys} metadata keys")
    seen: set[str] = set()
    for number in range(n_keys):
        cursor.subject = f"metadata key {number}"
        key = cursor.string(MAX_KEY)
        cursor.about("key", key)
        if key in seen:
            raise cursor.bad("duplicate key")
        seen.add(key)
        kind = _read_kind(cursor)
        if key == "general.alignment" and kind is not ValueType.U32:
            # the engine ends its process on it; ignoring it would place the tensors elsewhere
            raise BadModelFile(f"invalid GGUF alignment: a {kind.name}, must be a U32")
        yield key, _read_value(cursor, kind, count_code, arrays)


def _read_value(cursor: Cursor, kind: ValueType, count_code: str, arrays: bool) -> Value:
    if kind is ValueType.STRING:
        return cursor.string()
    if kind is ValueType.ARRAY:
        return _read_array(cursor, count_code, arrays)
    (value,) = cursor.numbers(SCALARS[kind].code)
    return shortest_f32(value) if kind is ValueType.F32 else value


def _read_kind(cursor: Cursor) -> ValueType:
    number = cursor.whole("I")
    try:
        return ValueType(number)
    except ValueError:
        raise cursor.bad(f"unknown value type {number}") from None


def _read_array(cursor: Cursor, count_code: str, arrays: bool) -> tuple[Plain, ...] | ArrayInfo:
    kind = _read_kind(cursor)
    if kind is ValueType.ARRAY:
        raise cursor.bad("nested arrays are not supported")
    count = cursor.whole(count_code)
    if count > MAX_ARRAY:
        raise cursor.bad(f"array size {count} is over the limit of {MAX_ARRAY}")
    least = 8 if kind is ValueType.STRING else SCALARS[kind].n_bytes
    if count * least > cursor.left:
        raise cursor.bad(f"unexpected EOF: array size {count} exceeds file size")
    if kind is ValueType.STRING:
        return _read_strings(cursor, count, arrays)
    if arrays or count <= SMALL_ARRAY:
        cursor.keep(0, count)
        values = cursor.numbers(f"{count}{SCALARS[kind].code}")
        return tuple(map(shortest_f32, values)) if kind is ValueType.F32 else values
    cursor.skip(count * least)
    return ArrayInfo(kind, count)


def _read_strings(cursor: Cursor, count: int, arrays: bool) -> tuple[Plain, ...] | ArrayInfo:
    if arrays or not count:
        return tuple(cursor.strings(count))
    cursor.skip_strings(count)
    return ArrayInfo(ValueType.STRING, count)


def shortest_f32(value: float) -> float:
    """The number with the fewest digits that a 32-bit float stores as `value`: 1e-05, not 9.99e-06.

    Clients see the metadata as JSON, and the reference writes 32-bit floats so.
    """
    if not math.isfinite(value):
        return value
    for digits in (6, 7, 8):
        candidate = float(f"{value:.{digits}g}")
        if struct.unpack("f", struct.pack("f", candidate))[0] == value:
            return candidate
    return value
