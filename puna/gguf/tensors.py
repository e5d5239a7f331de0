"""Reads what a GGUF file says about its tensors, never their data, and refuses what cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from puna.errors import BadModelFile, quoted
from puna.gguf.cursor import Cursor
from puna.gguf.types import PAIRED_IN, PAIRED_MXFP4, TENSOR_TYPES, TensorType

__all__ = ["MAX_TENSORS", "TensorInfo", "check_tensors", "read_tensors"]

MAX_TENSORS = 1 << 17  # real files have a few thousand
MAX_NAME = 1 << 10  # bytes; the engine takes 63
MAX_DIMENSIONS = 4
MAX_INT = 2**63 - 1
LEAST_TENSOR_BYTES = 24  # name length, dimensions, type, offset


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor: `shape` with the fastest dimension first, `offset` from the start of the data."""

    name: str
    shape: tuple[int, ...]
    type_id: int
    type_name: str
    offset: int
    n_elements: int
    n_bytes: int


_MXFP4 = next(kind for kind in TENSOR_TYPES.values() if kind.name == "MXFP4")


def read_tensors(
    cursor: Cursor, n_tensors: int, *, architecture: object = None
) -> tuple[TensorInfo, ...]:
    """Read the descriptions of `n_tensors` tensors of a model of an architecture.

    Raises BadModelFile where a name is used twice, or a shape or type is impossible.
    """
    if n_tensors > MAX_TENSORS:
        raise cursor.bad(f"{n_tensors} tensors are over the limit of {MAX_TENSORS}")
    if n_tensors * LEAST_TENSOR_BYTES > cursor.left:
        raise cursor.bad(f"unexpected EOF: no room for {n_tensors} tensors")
    kinds = TENSOR_TYPES
    if architecture == PAIRED_IN:
        kinds = {**TENSOR_TYPES, PAIRED_MXFP4: _MXFP4}
    tensors: dict[str, TensorInfo] = {}
    for number in range(n_tensors):
        cursor.subject = f"tensor {number}"
        tensor = _read_tensor(cursor, kinds)
        if tensor.name in tensors:
            raise cursor.bad("duplicate tensor name")
        tensors[tensor.name] = tensor
    return tuple(tensors.values())


def _read_tensor(cursor: Cursor, kinds: Mapping[int, TensorType]) -> TensorInfo:
    name = cursor.string(MAX_NAME)
    cursor.about("tensor", name)
    n_dimensions = cursor.whole("I")
    if n_dimensions > MAX_DIMENSIONS:
        raise cursor.bad(f"{n_dimensions} dimensions are over the limit of {MAX_DIMENSIONS}")
    shape = tuple(map(int, cursor.numbers("Q" * n_dimensions)))
    type_id = cursor.whole("I")
    offset = cursor.whole("Q")
    kind = kinds.get(type_id)
    if kind is None:
        raise cursor.bad(f"size overflow: unknown tensor type {type_id}")
    n_elements = _count(cursor, shape)
    n_bytes = _size(cursor, kind, shape, n_elements)
    cursor.keep(0, 6)
    return TensorInfo(name, shape, type_id, kind.name, offset, n_elements, n_bytes)


def _count(cursor: Cursor, shape: tuple[int, ...]) -> int:
    elements = 1
    for n in shape:
        elements *= n
        if elements > MAX_INT or n > MAX_INT:
            raise cursor.bad(f"elements overflow: {list(shape)}")
    return elements


def _size(cursor: Cursor, kind: TensorType, shape: tuple[int, ...], n_elements: int) -> int:
    row = shape[0] if shape else 1
    if row % kind.block:
        raise cursor.bad(f"{row} elements a row are not a multiple of {kind.name}'s {kind.block}")
    n_bytes = n_elements // kind.block * kind.block_bytes
    if n_bytes > MAX_INT:
        raise cursor.bad(f"size overflow: {n_elements} elements of {kind.name}")
    return n_bytes


def check_tensors(
    tensors: tuple[TensorInfo, ...], *, data_offset: int, alignment: int, file_size: int
) -> None:
    """Refuse tensors outside the file, over one another, or at an odd place (BadModelFile)."""
    room = file_size - data_offset
    for tensor in tensors:
        if tensor.offset % alignment:
            raise _bad(tensor, f"offset {tensor.offset} is not a multiple of {alignment}")
        if tensor.offset + tensor.n_bytes > room:
            raise _bad(
                tensor,
                f"its end at {data_offset + tensor.offset + tensor.n_bytes} exceeds file size "
                f"{file_size}",
            )
    filled = sorted((t for t in tensors if t.n_bytes), key=lambda tensor: tensor.offset)
    for before, after in pairwise(filled):
        if before.offset + before.n_bytes > after.offset:
            raise _bad(after, f"overlaps tensor {quoted(before.name[:80])}")


def _bad(tensor: TensorInfo, problem: str) -> BadModelFile:
    return BadModelFile(f"invalid GGUF: tensor {quoted(tensor.name[:80])}: {problem}")
