"""Reads and validates everything of a GGUF file that stands before its tensor data.

Written for files from strangers: any bytes give a `Header` or BadModelFile, counts are checked
against limits and against the bytes that are left before anything is made of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from puna.errors import BadModelFile
from puna.gguf.cursor import Cursor
from puna.gguf.tensors import TensorInfo, check_tensors, read_tensors
from puna.gguf.values import Value, locate_metadata, read_metadata, read_strings

__all__ = ["Header", "find_header", "is_gguf", "locate_keys", "read_first", "read_header"]

LITTLE, BIG = b"GGUF", b"FUGG"
OLD_MAGICS = {b"lmgg": "ggml", b"fmgg": "ggmf", b"tjgg": "ggjt", b"algg": "ggla"}
DEFAULT_ALIGNMENT = 32
COUNT_CODES = {1: "I"}  # by version; "Q" from version 2 on


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says about itself, validated. Offsets and sizes are in bytes."""

    version: int
    byte_order: Literal["little", "big"]
    metadata: Mapping[str, Value]
    tensors: tuple[TensorInfo, ...]
    data_offset: int
    file_size: int


def is_gguf(source: Path | bytes) -> bool:
    """Say whether a file, or the first bytes of one, bear the magic in either byte order."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            source = file.read(4)
    return source[:4] in {LITTLE, BIG}


def read_header(path: Path, *, arrays: bool = False) -> Header:
    """Read and validate a GGUF file's header, never its tensors.

    Without `arrays`, the elements of string arrays and of long numeric arrays are passed over and
    `ArrayInfo` stands in their place: 400,000 vocabulary entries then take some 30 ms.
    Raises BadModelFile for anything wrong in the file, OSError where it cannot be read at all.
    """
    if path.exists() and not path.is_file():  # a pipe would block the open
        raise BadModelFile(f"{path} is not a file")
    with FileIO(path) as file:
        return _read(Cursor(file, os.fstat(file.fileno()).st_size), arrays)


def find_header(path: Path) -> Header | None:
    """What a file says of itself; None where whoever opens it next is to say what is wrong."""
    try:
        return read_header(path)
    except (BadModelFile, OSError):
        return None


def locate_keys(path: Path) -> Mapping[str, range]:
    """Where in the file each key lies, with its value. Raises BadModelFile, OSError."""
    with FileIO(path) as file:
        cursor = Cursor(file, os.fstat(file.fileno()).st_size)
        _, count_code, _, n_keys = _read_start(cursor)
        return locate_metadata(cursor, n_keys, count_code=count_code)


def read_first(path: Path, key: str, count: int) -> tuple[str, ...]:
    """The first `count` strings of an array, empty where there is none of that name.

    Raises BadModelFile, OSError.
    """
    place = locate_keys(path).get(key)
    if place is None:
        return ()
    with FileIO(path) as file:
        cursor = Cursor(file, os.fstat(file.fileno()).st_size)
        _, count_code, _, _ = _read_start(cursor)
        cursor.skip(place.start - cursor.position)
        return read_strings(cursor, count, count_code=count_code)


def _read_start(cursor: Cursor) -> tuple[int, str, int, int]:
    """Version, the `struct` letter of its counts, and how many tensors and keys there are."""
    version = _read_version(cursor)
    cursor.terminated = version == 1
    count_code = COUNT_CODES.get(version, "Q")
    return version, count_code, cursor.whole(count_code), cursor.whole(count_code)


def _read(cursor: Cursor, arrays: bool) -> Header:
    version, count_code, n_tensors, n_keys = _read_start(cursor)
    metadata = read_metadata(cursor, n_keys, count_code=count_code, arrays=arrays)
    alignment = _alignment(metadata)
    cursor.subject = "header"
    architecture = metadata.get("general.architecture")
    tensors = read_tensors(cursor, n_tensors, architecture=architecture)
    data_offset = -(-cursor.position // alignment) * alignment
    check_tensors(tensors, data_offset=data_offset, alignment=alignment, file_size=cursor.file_size)
    return Header(
        version=version,
        byte_order="big" if cursor.order == ">" else "little",
        metadata=MappingProxyType(metadata),
        tensors=tensors,
        data_offset=data_offset,
        file_size=cursor.file_size,
    )


def _read_version(cursor: Cursor) -> int:
    """Read magic and version, and set the cursor's byte order.

    Big-endian files bear `FUGG`, or `GGUF` and a version whose bytes are the other way round:
    that is what other writers make (models spec, W39).
    """
    if cursor.left < len(LITTLE):
        raise BadModelFile("invalid file magic: the file is too short")
    magic = cursor.take(4)
    if magic not in {LITTLE, BIG}:
        old = OLD_MAGICS.get(magic)
        raise BadModelFile(
            f"invalid file magic: the {old} format is no longer supported"
            if old
            else "invalid file magic: not a GGUF file"
        )
    raw = cursor.take(4)
    version = int.from_bytes(raw, "little")
    if magic == BIG or (version and not version & 0xFFFF):
        cursor.order = ">"
        version = int.from_bytes(raw, "big")
    if version < 1:
        raise BadModelFile(f"unsupported GGUF version {version}")
    return version


def _alignment(metadata: Mapping[str, Value]) -> int:
    value = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(value) is not int or value < 1 or value & (value - 1):
        raise BadModelFile(f"invalid GGUF alignment: {value!r}")
    return value
