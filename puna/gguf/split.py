"""Model files in parts: which belong together, in which order, and what they are as one file.

llama.cpp names them `NAME-00001-of-00003.gguf`; the metadata are in the first, tensors in all.
Facts: models spec, section 15.3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from puna.errors import BadModelFile, quoted
from puna.gguf.reader import Header, read_header
from puna.gguf.tensors import MAX_TENSORS, TensorInfo
from puna.gguf.values import Value

__all__ = [
    "MAX_PARTS",
    "SPLIT_KEYS",
    "PartName",
    "Place",
    "parse_part_name",
    "place_of",
    "read_joined",
]

MAX_PARTS = 1024
"""Real models have under a hundred; the reader of many headers must come to an end."""

SPLIT_KEYS = frozenset({"split.no", "split.count", "split.tensors.count"})

_NAME = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.gguf)")
_MAX_NUMBER = 0xFFFF  # the engine reads 16 bits


@dataclass(frozen=True, slots=True)
class Place:
    """A file's place among the parts of its model: `index` from 0, None where it does not say."""

    index: int | None
    count: int


@dataclass(frozen=True, slots=True)
class PartName:
    """A part's file name taken apart; `number` counts from 1."""

    prefix: str
    number: int
    count: int
    suffix: str = ".gguf"

    @property
    def siblings(self) -> list[str]:
        """The names of all parts, this one among them. Raises BadModelFile for too many."""
        if self.count > MAX_PARTS:
            raise BadModelFile(f"{self.count} parts are over the limit of {MAX_PARTS}")
        return [str(replace(self, number=number + 1)) for number in range(self.count)]

    def __str__(self) -> str:
        return f"{self.prefix}-{self.number:05}-of-{self.count:05}{self.suffix}"


def parse_part_name(name: str) -> PartName | None:
    """Take a part's name apart, with its folders if it has some; None for any other name."""
    match = _NAME.fullmatch(name)
    return PartName(match[1], int(match[2]), int(match[3]), match[4]) if match else None


def place_of(header: Header) -> Place | None:
    """Where a file belongs among the parts of its model; None for a file that is whole.

    Raises BadModelFile for numbers that cannot be.
    """
    count = _number(header, "split.count") or 0
    index = _number(header, "split.no")
    if count < 2:
        return None
    if count > MAX_PARTS:
        raise BadModelFile(f"invalid GGUF: split.count {count} is over the limit of {MAX_PARTS}")
    if index is not None and index >= count:
        raise BadModelFile(f"invalid GGUF: split.no {index} in a file of {count} parts")
    return Place(index, count)


def _number(header: Header, name: str) -> int | None:
    """A number about parts, under its own name or the architecture's."""
    value = header.metadata.get(name)
    if value is None:
        value = header.metadata.get(f"{header.metadata.get('general.architecture')}.{name}")
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= _MAX_NUMBER:
        shown = value if isinstance(value, int | float) else type(value).__name__
        raise BadModelFile(f"invalid GGUF: {name} {shown} is not a number from 0 to {_MAX_NUMBER}")
    return value


def read_joined(paths: Sequence[Path], *, arrays: bool = False) -> Header:
    """Read the headers of a model's files, in order, as if they were one file.

    Offsets of tensors are those in their own files. Raises BadModelFile, also for a part that is
    missing, out of order or of another model; OSError.
    """
    first = read_header(paths[0], arrays=arrays)
    place = place_of(first)
    if place is None and len(paths) == 1:
        return first
    _check_count(place, len(paths))
    tensors = {tensor.name: tensor for tensor in first.tensors}
    size = first.file_size
    for index, path in enumerate(paths):
        header = read_header(path) if index else first
        _check_place(header, index, len(paths))
        if index:
            _add(tensors, header.tensors, index)
            size += header.file_size
    _check_total(first, len(tensors))
    return replace(first, tensors=tuple(tensors.values()), file_size=size)


def _check_count(place: Place | None, count: int) -> None:
    if count > MAX_PARTS:
        raise BadModelFile(f"{count} parts are over the limit of {MAX_PARTS}")
    if place is None:
        raise BadModelFile("the file is whole: it has no further parts")
    if place.count != count:
        raise BadModelFile(f"the model has {place.count} parts, and {count} of them are here")


def _check_place(header: Header, index: int, count: int) -> None:
    place = place_of(header)
    if place is None or place.count != count:
        raise BadModelFile(
            f"part {index + 1} of {count} is missing: a file of another model is there"
        )
    if place.index is None:
        raise BadModelFile(f"part {index + 1} of {count} is missing split.no metadata")
    if place.index != index:
        raise BadModelFile(
            f"part {index + 1} of {count} is missing: part {place.index + 1} is in its place"
        )


def _add(tensors: dict[str, TensorInfo], more: Sequence[TensorInfo], index: int) -> None:
    if len(tensors) + len(more) > MAX_TENSORS:
        raise BadModelFile(f"more than {MAX_TENSORS} tensors in the first {index + 1} parts")
    for tensor in more:
        if tensor.name in tensors:
            raise BadModelFile(
                f"invalid GGUF: tensor {quoted(tensor.name[:80])} is in several parts"
            )
        tensors[tensor.name] = tensor


def _check_total(first: Header, found: int) -> None:
    told: Value | None = first.metadata.get("split.tensors.count")
    if type(told) is int and told != found:
        raise BadModelFile(f"the parts have {found} tensors, the first part says {told}")
