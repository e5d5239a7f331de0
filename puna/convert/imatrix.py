"""Importance matrices: how much each column of each tensor matters, from files of either form.

The files are untrusted: every number is checked against the file's length before it is used. Facts:
conversion spec, section 12.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from puna.errors import BadModelFile, QuantError
from puna.gguf.reader import Header, is_gguf, read_header
from puna.gguf.tensors import TensorInfo

__all__ = ["Matrix", "check_fits", "read_matrix"]

MAX_BYTES = 2 << 30  # the largest models' have 1.5 GB
MAX_ENTRIES = 1 << 17
MAX_NAME_BYTES = 256
MAX_TEXT_BYTES = 64 * 1024

_SUMS, _COUNTS = ".in_sum2", ".counts"
_TOKENS = "token_embd.weight"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The mean of the squared inputs by tensor name: for each expert, of each column in order.

    `dataset` names what was read to measure them, in `chunks` pieces, where the file says it.
    """

    entries: Mapping[str, Floats]
    dataset: str = ""
    chunks: int = 0


def read_matrix(path: Path) -> Matrix:
    """Read a file of either form. Raises QuantError, OSError."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise _bad(path, f"it is larger than {MAX_BYTES} bytes")
    matrix = _read_gguf(path) if is_gguf(path) else _read_legacy(path, size)
    for name, values in matrix.entries.items():
        if not np.isfinite(values).all() or (values < 0).any():
            raise _bad(path, f"{name} has values that are no mean of squares")
    if not matrix.entries:
        raise _bad(path, "it is empty")
    return matrix


def check_fits(matrix: Matrix, tensors: Iterable[TensorInfo]) -> None:
    """Raise QuantError unless the matrix is one of the model with these tensors."""
    known = {tensor.name: tensor for tensor in tensors}
    shared = [name for name in matrix.entries if name in known]
    if not shared:
        raise QuantError(
            "the importance matrix is of another model: no tensor of it is in this one"
        )
    for name in shared:
        columns, *rest = known[name].shape
        experts = rest[1] if len(rest) > 1 else 1
        found = matrix.entries[name].size
        if found != columns * experts and name != _TOKENS:
            raise QuantError(
                f"the importance matrix is of another model: it has {found} values for {name}, "
                f"which has {columns * experts} columns"
            )


def _bad(path: Path, reason: str) -> QuantError:
    name = "the file" if path.name.startswith("sha256-") else path.name  # in a store it has none
    return QuantError(f"{name} is no importance matrix that can be used: {reason}")


def _read_gguf(path: Path) -> Matrix:
    try:
        header = read_header(path, arrays=True)
    except BadModelFile as cause:
        raise _bad(path, str(cause)) from cause
    if header.metadata.get("general.type") != "imatrix":
        raise _bad(path, "it is a GGUF file of another kind")
    if header.byte_order != "little":
        raise _bad(path, "its numbers are big-endian")
    tensors = {tensor.name: tensor for tensor in header.tensors}
    names = [name.removesuffix(_SUMS) for name in tensors if name.endswith(_SUMS)]
    with path.open("rb") as file:
        entries = {name: _means(path, file, header, tensors, name) for name in names}
    datasets = header.metadata.get("imatrix.datasets")
    chunks = header.metadata.get("imatrix.chunk_count")
    return Matrix(
        entries,
        str(datasets[0]) if isinstance(datasets, tuple) and datasets else "",
        chunks if isinstance(chunks, int) else 0,
    )


def _means(
    path: Path, file: BinaryIO, header: Header, tensors: Mapping[str, TensorInfo], name: str
) -> Floats:
    sums, counts = tensors[name + _SUMS], tensors.get(name + _COUNTS)
    if counts is None:
        raise _bad(path, f"{name} has no counts")
    per_expert = _values(path, file, header, counts)
    values = _values(path, file, header, sums)
    if not per_expert.size or values.size % per_expert.size:
        raise _bad(path, f"{name} has {values.size} sums for {per_expert.size} counts")
    if not np.isfinite(per_expert).all():
        raise _bad(path, f"{name} has counts that are no numbers")
    rows = values.reshape(per_expert.size, -1)
    seen = per_expert > 0
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # what becomes infinite is refused with the rest
        rows[seen] /= per_expert[seen, None]
    rows[~seen] = 1  # an expert that was never asked: all its columns are alike
    return rows.reshape(-1)


def _values(path: Path, file: BinaryIO, header: Header, tensor: TensorInfo) -> Floats:
    if tensor.type_name != "F32":
        raise _bad(path, f"{tensor.name} is of type {tensor.type_name}, not F32")
    file.seek(header.data_offset + tensor.offset)
    return np.fromfile(file, np.dtype("<f4"), tensor.n_elements).astype(np.float32, copy=False)


def _read_legacy(path: Path, size: int) -> Matrix:
    """The older form: counts, and texts with their lengths before them."""
    with path.open("rb") as file:
        n_entries = _whole(path, file)
        if not 1 <= n_entries <= MAX_ENTRIES:
            raise _bad(path, "it does not begin as one")
        entries = {}
        for _ in range(n_entries):
            name = _text(path, file, MAX_NAME_BYTES)
            calls, length = _whole(path, file), _whole(path, file)
            if length < 1 or length * 4 > size - file.tell():
                raise _bad(path, f"it ends within {name}")
            values = np.fromfile(file, np.dtype("<f4"), length).astype(np.float32, copy=False)
            with np.errstate(invalid="ignore"):  # what is no number is refused with the rest
                entries[name] = values / np.float32(calls) if calls > 0 else values
        chunks, dataset = 0, ""
        if size - file.tell() >= 8:
            chunks, dataset = max(_whole(path, file), 0), _text(path, file, MAX_TEXT_BYTES)
    return Matrix(entries, dataset, chunks)


def _whole(path: Path, file: BinaryIO) -> int:
    raw = file.read(4)
    if len(raw) != 4:
        raise _bad(path, "it is cut off")
    return int(struct.unpack("<i", raw)[0])


def _text(path: Path, file: BinaryIO, limit: int) -> str:
    length = _whole(path, file)
    if not 0 <= length <= limit:
        raise _bad(path, f"it has a text of {length} bytes")
    raw = file.read(length)
    if len(raw) != length:
        raise _bad(path, "it is cut off")
    return raw.decode("utf-8", "replace")
