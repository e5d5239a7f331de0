"""Files as torch's `save` writes them, without torch."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack_old", "pack_view", "state_of", "write_pickled", "write_zip"]


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def _number(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _numbers(values: Sequence[int]) -> bytes:
    return b"(" + b"".join(map(_number, values)) + b"t"


def pack_view(key: str, stored: int, shape: Sequence[int], strides: Sequence[int]) -> bytes:
    """The instructions that make a tensor of F32 on storage `key`, which has `stored` elements."""
    storage = b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text(key) + _text("cpu")
    storage += _number(stored) + b"tQ"
    view = storage + _number(0) + _numbers(shape) + _numbers(strides)
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + view + hooks + b"tR"


def state_of(views: Mapping[str, bytes]) -> bytes:
    """A program that makes an ordered dictionary of these."""
    items = b"".join(_text(name) + view for name, view in views.items())
    state = b"}" + _text("_metadata") + b"}s"
    return b"\x80\x02ccollections\nOrderedDict\n)Rq\x00(" + items + b"u" + state + b"b."


def write_zip(
    path: Path, program: bytes, storages: Mapping[str, bytes], kind: int = zipfile.ZIP_STORED
) -> None:
    """A file with this program and these storages."""
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/byteorder", "little")
        for key, raw in storages.items():
            archive.writestr(f"archive/data/{key}", raw)


def pack_old(
    program: bytes,
    storages: Mapping[str, bytes],
    *,
    magic: int = 0x1950A86A20F9469CFC6C,
    little: bool = True,
) -> bytes:
    """The form before 1.6: pickles after each other, then the storages' lengths and bytes."""
    raw = b"\x80\x02\x8a\x0a" + magic.to_bytes(10, "little") + b"."
    raw += b"\x80\x02M" + struct.pack("<H", 1001) + b"."
    raw += b"\x80\x02}" + _text("little_endian") + (b"\x88" if little else b"\x89") + b"s."
    raw += program + b"\x80\x02](" + b"".join(map(_text, storages)) + b"e."
    return raw + b"".join(struct.pack("<q", len(data) // 4) + data for data in storages.values())


def write_pickled(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """A file of these F32 tensors, those in Fortran's order with its strides."""
    views, storages = {}, {}
    for number, (name, values) in enumerate(tensors.items()):
        strides = [stride // 4 for stride in values.strides]
        views[name] = pack_view(str(number), values.size, values.shape, strides)
        storages[str(number)] = values.astype(np.float32).tobytes(order="A")
    write_zip(path, state_of(views), storages)
