"""Reads what a safetensors file says about its tensors, never their data, and refuses what cannot
be.

Written for files from strangers: any bytes give a list of places or BadCheckpoint.
Facts: conversion spec, section 3.2.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from puna.convert.kinds import STORAGE
from puna.errors import BadCheckpoint

__all__ = ["Place", "read_places"]

MAX_HEADER = 100 << 20  # bytes: the format's own limit
MAX_TENSORS = 1 << 18
MAX_NAME = 1 << 10
MAX_RANK = 8
MAX_ELEMENTS = 2**48
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one tensor lies: `shape` with the slowest dimension first, offsets from the file's
    start.
    """

    file: Path
    name: str
    kind: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_places(path: Path) -> list[Place]:
    """The tensors of a file, in the order of their data. Raises BadCheckpoint, OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(len(LFS_POINTER))
        if start == LFS_POINTER:
            raise BadCheckpoint(
                path.name, "is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"
            )
        length = int.from_bytes(start[:8], "little")
        if len(start) < 8 or length > size - 8:
            raise BadCheckpoint(path.name, "is cut off or not a safetensors file")
        if length > MAX_HEADER:
            raise BadCheckpoint(path.name, f"its header of {length} bytes is over {MAX_HEADER}")
        file.seek(8)
        raw = file.read(length)
    places = [_place(path, name, entry, 8 + length) for name, entry in _entries(path, raw).items()]
    places.sort(key=lambda place: (place.begin, place.end))
    _check(path, places, size)
    return places


def _entries(path: Path, raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) != len(pairs):
            raise BadCheckpoint(path.name, "its header has a name twice")
        return values

    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as cause:
        raise BadCheckpoint(path.name, "its header is not JSON") from cause
    if not isinstance(header, dict):
        raise BadCheckpoint(path.name, "its header is not an object")
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        raise BadCheckpoint(path.name, f"{len(header)} tensors are over the limit {MAX_TENSORS}")
    return header


def _place(path: Path, name: str, entry: Any, start: int) -> Place:
    def bad(reason: str) -> BadCheckpoint:
        return BadCheckpoint(path.name, reason, tensor=name[:80])

    if not name or len(name) > MAX_NAME:
        raise bad("a tensor's name must have 1 to 1024 characters")
    if not isinstance(entry, dict):
        raise bad("its entry is not an object")
    kind = entry.get("dtype")
    if not isinstance(kind, str) or kind not in STORAGE or kind == "MXFP4":
        raise bad(f"unknown data type: {str(kind)[:40]}")
    shape, offsets = _wholes(entry.get("shape")), _wholes(entry.get("data_offsets"))
    if shape is None or len(shape) > MAX_RANK:
        raise bad("its shape is not a short list of whole numbers")
    if offsets is None or len(offsets) != 2:
        raise bad("its data_offsets are not two whole numbers")
    elements = 1
    for dimension in shape:
        elements *= dimension
        if elements > MAX_ELEMENTS:
            raise bad(f"shape {shape} is over the limit of {MAX_ELEMENTS} elements")
    if offsets[1] - offsets[0] != elements * STORAGE[kind].itemsize:
        raise bad(f"shape {shape} of {kind} does not take {offsets[1] - offsets[0]} bytes")
    return Place(path, name, kind, tuple(shape), start + offsets[0], start + offsets[1])


def _wholes(value: Any) -> list[int] | None:
    if isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value):
        return value
    return None


def _check(path: Path, places: list[Place], size: int) -> None:
    for place in places:
        if place.end > size:
            raise BadCheckpoint(
                path.name,
                f"is cut off: the tensor ends at byte {place.end}, the file at {size}",
                tensor=place.name,
            )
    filled = [place for place in places if place.begin != place.end]
    for before, after in pairwise(filled):
        if before.end > after.begin:
            raise BadCheckpoint(path.name, f"overlaps tensor {before.name!r}", tensor=after.name)
