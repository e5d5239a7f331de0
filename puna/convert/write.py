"""Writes a GGUF file: everything before the data at once, then tensor by tensor as they are read.

The same input gives the same bytes: keys in a fixed order, padding of zeros, no dates and no paths.
Facts: conversion spec, section 3.5; models spec, section 15.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

import numpy as np

from puna.convert.config import MAX_REAL
from puna.convert.family import Value
from puna.convert.kinds import Array, cast, has_bad_values
from puna.convert.plan import Output
from puna.convert.tensor import announce
from puna.errors import BadCheckpoint, ConvertError
from puna.gguf.types import TENSOR_TYPES, TYPE_NUMBERS

__all__ = ["TooLarge", "open_file", "write_data"]

ALIGNMENT = 32
_U8, _U32, _I32, _F32, _BOOL, _STRING, _ARRAY = 0, 4, 5, 6, 7, 8, 9
_PIECE = 4 << 20
_UNSYNCED = 128 << 20  # bytes that are written before the disk is told


class TooLarge(ConvertError):
    """A value is beyond what F16 can hold: the file should be BF16."""


def open_file(path: Path, keys: Mapping[str, Value], outputs: Sequence[Output]) -> None:
    """Make the file in its full length, with everything before the data; the data is zeros."""
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(outputs), len(keys)))
    for key, value in keys.items():
        head += _string(key) + _value(key, value)
    at = 0
    for output in outputs:
        shape = output.shape[::-1]
        head += _string(output.name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *shape)
        head += struct.pack("<IQ", TYPE_NUMBERS[output.kind], at)
        at += _padded(size_of(output))
    head += bytes(-len(head) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + at)


def size_of(output: Output) -> int:
    """Bytes of the tensor in the file."""
    kind = TENSOR_TYPES[TYPE_NUMBERS[output.kind]]
    return math.prod(output.shape) // kind.block * kind.block_bytes


def write_data(path: Path, outputs: Sequence[Output], tell: Callable[[Output], None]) -> None:
    """Fill a file that open_file() made; `tell` hears of each tensor before it is written.

    Raises BadCheckpoint for values that are none, TooLarge, and OSError.
    """
    size = sum(_padded(size_of(output)) for output in outputs)
    with path.open("r+b", buffering=0) as file, _Writer(file) as writer:
        at = file.seek(0, os.SEEK_END) - size
        for output, following in zip_longest(outputs, outputs[1:]):
            tell(output)
            if following:
                announce(following.tensor)
            end = at
            for piece in _pieces(output):
                writer.write(piece, end)
                end += piece.nbytes
            if end - at != size_of(output):
                raise output.tensor.bad("has another size than its shape says")
            at += _padded(size_of(output))


class _Writer:
    """Writes at places of a file while its owner reads and computes what comes next.

    No more than two pieces are in memory: the one that is being written, and the next. What is
    written goes to the disk meanwhile, so that little is left to wait for at the end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file.fileno()
        self._pool = ThreadPoolExecutor(2)
        self._writing: Future[None] | None = None
        self._syncing: Future[None] | None = None
        self._unsynced = 0

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._pool:
            if kind is None:
                for pending in filter(None, (self._writing, self._syncing)):
                    pending.result()  # an error of the disk is told only once
                os.fsync(self._file)

    def write(self, piece: Array, at: int) -> None:
        """Have the array's bytes written at this place, when those before are. Raises OSError for
        any before.
        """
        if self._writing:
            self._writing.result()
        self._writing = self._pool.submit(self._put, piece.view(np.uint8).data, at)
        self._unsynced += piece.nbytes
        if self._unsynced >= _UNSYNCED and (self._syncing is None or self._syncing.done()):
            if self._syncing:
                self._syncing.result()
            self._syncing = self._pool.submit(os.fdatasync, self._file)
            self._unsynced = 0

    def _put(self, raw: memoryview, at: int) -> None:
        while raw:
            n_bytes = os.pwrite(self._file, raw, at)
            raw, at = raw[n_bytes:], at + n_bytes


def _pieces(output: Output) -> Iterator[Array]:
    tensor = output.tensor
    for part in tensor.stream():
        flat = part.reshape(-1)  # a copy where rows or axes changed places
        step = _PIECE // 4
        for at in range(0, flat.size, step):
            piece = flat[at : at + step]
            values = piece if output.kind == tensor.kind else _converted(piece, output)
            yield np.ascontiguousarray(values)


def _converted(piece: Array, output: Output) -> Array:
    values = cast(piece, output.tensor.kind, output.kind)
    if has_bad_values(values, output.kind):
        if output.kind == "F16":
            raise TooLarge(f"{output.tensor.source} has values beyond those of F16")
        raise output.tensor.bad(f"has values beyond those of {output.kind}")
    return values


_SIGNED = frozenset({"clip.minicpmv_version"})
"""Numbers that the engine reads with a sign, and ends its process where there is none."""


def _padded(n_bytes: int) -> int:
    return -(-n_bytes // ALIGNMENT) * ALIGNMENT


def _string(text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return struct.pack("<Q", len(raw)) + raw


def _value(key: str, value: Value) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", _BOOL, value)
    if isinstance(value, int):
        if key in _SIGNED:
            return struct.pack("<Ii", _I32, value)
        if not 0 <= value < 2**32:
            raise BadCheckpoint("config.json", f"{key} is {value}, out of range")
        return struct.pack("<II", _U32, value)
    if isinstance(value, float):
        if not abs(value) <= MAX_REAL:
            raise BadCheckpoint("config.json", f"{key} is {value}, out of range")
        return struct.pack("<If", _F32, value)
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    return struct.pack("<I", _ARRAY) + _array(key, value)


def _array(key: str, values: Sequence[object]) -> bytes:
    count = struct.pack("<Q", len(values))
    if isinstance(values, bytes):
        return struct.pack("<I", _U8) + count + values
    if all(isinstance(value, bool) for value in values):
        return struct.pack("<I", _BOOL) + count + bytes(map(bool, values))
    if all(isinstance(value, str) for value in values):
        return struct.pack("<I", _STRING) + count + b"".join(_string(str(v)) for v in values)
    if all(isinstance(value, bytes) for value in values):
        raise ConvertError(f"{key}: bytes are no strings")
    kind, dtype = (_I32, "<i4") if all(isinstance(v, int) for v in values) else (_F32, "<f4")
    try:
        return struct.pack("<I", kind) + count + np.array(values, dtype).tobytes()
    except OverflowError:
        raise ConvertError(f"{key}: a number is out of bounds") from None
