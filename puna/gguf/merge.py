"""One model file of several parts: the same metadata, but for what was said of parts, and all
tensors, copied as they are. Facts: models spec, section 15.3; conversion spec, section 10.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from puna.errors import BadModelFile, quoted
from puna.gguf.reader import DEFAULT_ALIGNMENT, LITTLE, Header, locate_keys, read_header
from puna.gguf.split import SPLIT_KEYS, read_joined
from puna.gguf.tensors import TensorInfo

__all__ = ["Merge", "plan_merge"]

VERSION = 3
COPY_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Merge:
    """A file to be written: `head` and then the tensors of `parts`, each from `alignment` on."""

    head: bytes
    parts: tuple[tuple[Path, Header], ...]
    alignment: int
    size: int

    def chunks(self) -> Iterator[bytes]:
        """The file's bytes. Raises BadModelFile when a part became shorter meanwhile."""
        yield self.head
        for path, header in self.parts:
            with FileIO(path) as file:
                for tensor in header.tensors:
                    yield from _copy(file, header.data_offset + tensor.offset, tensor)
                    if rest := -tensor.n_bytes % self.alignment:
                        yield bytes(rest)


def plan_merge(paths: Sequence[Path]) -> Merge:
    """Work out the file that these parts, in order, make.

    Raises BadModelFile for parts that do not belong together or cannot be joined, OSError.
    """
    joined = read_joined(paths)
    parts = tuple((path, read_header(path)) for path in paths)
    for path, header in parts:
        if header.version < 2 or header.byte_order != "little":
            raise BadModelFile(f"{path.name} cannot be joined: it is of an old or foreign form")
    value = joined.metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    alignment = value if isinstance(value, int) else DEFAULT_ALIGNMENT
    keys = list(_kept_keys(paths[0]))
    infos, data_bytes = _describe_tensors(joined.tensors, alignment)
    head = LITTLE + struct.pack("<IQQ", VERSION, len(joined.tensors), len(keys))
    head += b"".join(keys) + infos
    head += bytes(-len(head) % alignment)
    return Merge(head, parts, alignment, len(head) + data_bytes)


def _kept_keys(path: Path) -> Iterator[bytes]:
    """The metadata pairs of the first part as they stand there, without those about parts."""
    with FileIO(path) as file:
        for key, place in locate_keys(path).items():
            if not any(key == each or key.endswith(f".{each}") for each in SPLIT_KEYS):
                file.seek(place.start)
                yield _read_exactly(file, len(place), f"key {quoted(key[:80])}")


def _describe_tensors(tensors: Sequence[TensorInfo], alignment: int) -> tuple[bytes, int]:
    """The list of tensors, one after another, and how many bytes they take."""
    out, offset = bytearray(), 0
    for tensor in tensors:
        name, n_dims = tensor.name.encode(), len(tensor.shape)
        out += struct.pack("<Q", len(name)) + name
        out += struct.pack(f"<I{n_dims}QIQ", n_dims, *tensor.shape, tensor.type_id, offset)
        offset += tensor.n_bytes + -tensor.n_bytes % alignment
    return bytes(out), offset


def _copy(file: FileIO, start: int, tensor: TensorInfo) -> Iterator[bytes]:
    file.seek(start)
    left = tensor.n_bytes
    while left:
        piece = _read_exactly(file, min(left, COPY_BYTES), f"tensor {quoted(tensor.name[:80])}")
        yield piece
        left -= len(piece)


def _read_exactly(file: FileIO, size: int, subject: str) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = file.read(size - len(data))
        if not piece:
            raise BadModelFile(f"invalid GGUF: {subject}: unexpected EOF")
        data += piece
    return bytes(data)
