"""Reads where the tensors of torch's files lie, without running what is in them.

Since 1.6 such a file is a zip file, whose `data.pkl` says what lies in the other members; before, a
few pickles after each other, and the numbers behind them. Facts: conversion spec, section 9.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from numpy.lib.stride_tricks import as_strided

from puna.convert.kinds import Array, itemsize
from puna.convert.safetensors import LFS_POINTER, MAX_NAME, MAX_TENSORS, Place
from puna.convert.tensor import Tensor, stored
from puna.convert.unpickling import Machine, Storage, View, Wrong
from puna.errors import BadCheckpoint

__all__ = ["read_pickled"]

MAX_PROGRAM = 64 << 20  # bytes
MAX_DIRECTORY = 64 << 20  # bytes of the list of a zip file's members
MAX_MEMBERS = 1 << 18

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_OLD = b"\x8a\x0a" + _MAGIC.to_bytes(10, "little")
"""The magic number in a pickle, near the start of a file in the form before 1.6."""

_WRAPPERS = ("state_dict", "model", "module")

_Find = Callable[[Storage], int | None]
"""Where the bytes of a storage begin; None where they are missing or of another number."""


def read_pickled(path: Path) -> dict[str, Tensor]:
    """Every tensor of torch's file, by its name. Raises BadCheckpoint, OSError."""
    try:
        with path.open("rb") as file:
            start = file.read(len(LFS_POINTER))
            if start == LFS_POINTER:
                raise Wrong(
                    "is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"
                )
            read = _read_old if start[:1] == b"\x80" and _OLD in start else _read_zip
            views, find = read(file)
            return {name: _tensor(path, find, name, view) for name, view in views.items()}
    except Wrong as wrong:
        raise BadCheckpoint(path.name, str(wrong)) from None


def _read_old(file: BinaryIO) -> tuple[dict[str, View], _Find]:
    """The form before torch 1.6: pickles one after the other, and the storages behind them."""
    size = file.seek(0, 2)
    file.seek(0)
    program = io.BytesIO(file.read(MAX_PROGRAM))
    magic, protocol, system = (Machine().run(program) for _ in range(3))
    if (magic, protocol) != (_MAGIC, _PROTOCOL) or not isinstance(system, dict):
        raise Wrong("is not a file of torch's")
    if system.get("little_endian") is not True:
        raise Wrong("its numbers are big-endian")
    machine = Machine()
    views = _tensors(machine.run(program))
    keys = _keys(Machine().run(program), machine.storages)
    starts: dict[str, int] = {}
    at = program.tell()
    for key in keys:
        storage = machine.storages[key]
        file.seek(at)
        if int.from_bytes(file.read(8), "little") != storage.n_elements:
            raise Wrong("is cut off, or has a storage of another size")
        starts[key] = at + 8
        at += 8 + storage.n_elements * itemsize(storage.kind)
        if at > size:
            raise Wrong("is cut off")
    return views, lambda storage: starts.get(storage.key)


def _keys(value: Any, storages: Mapping[str, Storage]) -> list[str]:
    """The storages in the order in which they follow."""
    if not isinstance(value, list) or any(not isinstance(key, str) for key in value):
        raise Wrong("has no list of its storages")
    if len(set(value)) != len(value) or set(value) != storages.keys():
        raise Wrong("has a list of storages that are not those of its tensors")
    return value


def _read_zip(file: BinaryIO) -> tuple[dict[str, View], _Find]:
    """The form since: a zip file with the pickle and a member for each storage."""
    members = _members(file)
    views = _tensors(Machine().run(io.BytesIO(_program(file, members))))
    starts: dict[str, int] = {}

    def find(storage: Storage) -> int | None:
        member = members.get(f"data/{storage.key}")
        if member is None or member.file_size != storage.n_elements * itemsize(storage.kind):
            return None
        if storage.key not in starts:
            starts[storage.key] = _start(file, member)
        return starts[storage.key]

    return views, find


def _members(file: BinaryIO) -> dict[str, zipfile.ZipInfo]:
    """Its members, by their names under the folder that torch puts around all."""
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            found = archive.infolist()
    # NotImplementedError is what zipfile raises for versions and flags that it does not know
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as cause:
        raise Wrong("is cut off or not a file of torch's") from cause
    members: dict[str, zipfile.ZipInfo] = {}
    for member in found:
        name = member.filename.partition("/")[2]
        if name in members:
            raise Wrong("has a member twice")
        members[name] = member
    return members


def _check_directory(file: BinaryIO) -> None:
    """The list of members is read as a whole: it must be small."""
    size = file.seek(0, 2)
    file.seek(max(size - 22, 0))
    end = file.read(22)
    if len(end) < 22 or end[:4] != b"PK\5\6":
        raise Wrong(
            "is cut off or not a file of torch's weights: "
            "load it with torch and save it as safetensors"
        )
    count, length = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if size >= 98:
        file.seek(size - 98)
        wide = file.read(76)
        if wide[56:60] == b"PK\6\7":  # the locator of a directory in 64 bits, just before
            if wide[:4] != b"PK\6\6":
                raise Wrong("its list of members is not where torch writes it")
            count, length = (int.from_bytes(wide[at : at + 8], "little") for at in (32, 40))
    if count > MAX_MEMBERS or length > MAX_DIRECTORY:
        raise Wrong(f"{count} members are over the limit {MAX_MEMBERS}")
    file.seek(0)


def _start(file: BinaryIO, member: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin. Raises Wrong unless they are stored as they are."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise Wrong("has members that are compressed or encrypted: torch writes none")
    file.seek(member.header_offset)
    head = file.read(30)
    if len(head) < 30 or head[:4] != b"PK\3\4":
        raise Wrong("has a member without a header")
    begin = member.header_offset + 30
    begin += int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    if member.file_size != member.compress_size or begin + member.file_size > file.seek(0, 2):
        raise Wrong("is cut off")
    return begin


def _program(file: BinaryIO, members: Mapping[str, zipfile.ZipInfo]) -> bytes:
    def content(name: str, limit: int) -> bytes:
        begin = _start(file, members[name])
        if members[name].file_size > limit:
            raise Wrong(f"{name} of {members[name].file_size} bytes is over {limit}")
        file.seek(begin)
        return file.read(members[name].file_size)

    if "data.pkl" not in members:
        raise Wrong("has no data.pkl: it is not a file of torch's")
    if "byteorder" in members and content("byteorder", 16) != b"little":
        raise Wrong("its numbers are big-endian")
    return content("data.pkl", MAX_PROGRAM)


def _tensors(top: Any) -> dict[str, View]:
    """The tensors by name, from under a trainer's wrapper if there is one."""
    for wrapper in _WRAPPERS:
        if isinstance(top, dict) and isinstance(top.get(wrapper), dict):
            top = top[wrapper]
            break
    if not isinstance(top, dict) or not top:
        raise Wrong("holds no tensors by name")
    if len(top) > MAX_TENSORS:
        raise Wrong(f"{len(top)} tensors are over the limit {MAX_TENSORS}")
    for name, view in top.items():
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            raise Wrong("a tensor's name must have 1 to 1024 characters")
        if not isinstance(view, View):
            raise Wrong(f"{name[:80]!r} is no tensor")
    return top


def _tensor(path: Path, find: _Find, name: str, view: View) -> Tensor:
    storage, size = view.storage, itemsize(view.storage.kind)
    start = find(storage)
    if start is None:
        raise BadCheckpoint(path.name, "its storage is missing or of another size", name)
    begin = start + view.offset * size
    n_elements = math.prod(view.shape)
    place = Place(path, name, storage.kind, view.shape, begin, begin + n_elements * size)
    if not n_elements or view.strides == _contiguous(view.shape):
        return stored(place)
    span = 1 + sum((n - 1) * s for n, s in zip(view.shape, view.strides, strict=True))
    whole = replace(place, shape=(span,), end=begin + span * size)
    steps = tuple(stride * size for stride in view.strides)

    def gather(values: Array) -> Array:
        return as_strided(values, view.shape, steps).copy()

    return stored(whole).changed(view.shape, gather)


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[at + 1 :]) for at in range(len(shape)))
