"""A file as the engine wants it, made of another one that stays as it is: keys and tensors, and
where in the other file their bytes are. Nothing is read but the header.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from puna.errors import BadModelFile, quoted
from puna.gguf.reader import DEFAULT_ALIGNMENT, LITTLE, Header, locate_keys, read_header
from puna.gguf.tensors import TensorInfo
from puna.gguf.types import SCALARS, ValueType
from puna.gguf.values import ArrayInfo, Plain, Value

__all__ = ["Computed", "Kept", "Key", "Made", "Span", "Target"]

_VERSION = 3
_LENGTH = struct.Struct("<Q")
_ARRAY_HEAD = struct.Struct("<IIQ")  # that it is one, of which kind, of how many


@dataclass(frozen=True, slots=True)
class Kept:
    """A key of the source, perhaps under another name; of an array the first `n_first` elements."""

    name: str
    n_first: int | None = None


@dataclass(frozen=True, slots=True)
class Computed:
    """An array of `kind`, made of all of the source's keys when the file is read."""

    kind: ValueType
    make: Callable[[Mapping[str, Value]], Sequence[Plain]]


Key = Kept | Computed | Plain | tuple[Plain, ...]
"""Where a key's value comes from. New numbers are written as U32 or F32, in arrays as I32 or F32.
"""


@dataclass(frozen=True, slots=True)
class Span:
    """`n_bytes` of the source, `start` from its beginning, that hold values of a tensor type.

    With `row_bytes` they are rows, of which only every `step`th counts: as many are passed over.
    MXFP4 that `is_paired` has its values in another order within each block.
    """

    start: int
    n_bytes: int
    type_name: str
    row_bytes: int = 0
    step: int = 1
    is_paired: bool = False

    @property
    def is_straight(self) -> bool:
        """Whether the bytes lie in the source as they are wanted."""
        return self.step == 1 and not self.is_paired


@dataclass(frozen=True, slots=True)
class Made:
    """A tensor: `spans` one after the other, zeros where there are none.

    Where its type is not theirs it is F32 and they are widened; `addend` is added to each value.
    With `sides` the values are rows of a square grid of one side, of which one of the other side
    is made.
    """

    info: TensorInfo
    spans: tuple[Span, ...]
    addend: float = 0.0
    sides: tuple[int, int] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether its values are those of the source, in the same type."""
        types = {span.type_name for span in self.spans}
        is_same = types == {self.info.type_name} and not self.addend
        return bool(self.spans) and is_same and self.sides is None


@dataclass(frozen=True, slots=True)
class Target:
    """A file to be: `keys` in their order, and `tensors`, whose offsets are not settled."""

    source: Header
    keys: Mapping[str, Key]
    tensors: tuple[Made, ...]

    @property
    def header(self) -> Header:
        """What a reader of the file will find, but for offsets of tensors and of the data."""
        tensors = tuple(made.info for made in self.tensors)
        return Header(
            version=_VERSION,
            byte_order="little",
            metadata={name: self._value(key) for name, key in self.keys.items()},
            tensors=tensors,
            data_offset=0,
            file_size=sum(tensor.n_bytes for tensor in tensors),
        )

    def _value(self, key: Key) -> Value:
        if isinstance(key, Computed):
            return ArrayInfo(key.kind, 0)
        if not isinstance(key, Kept):
            return key
        value = self.source.metadata[key.name]
        if key.n_first is None:
            return value
        if isinstance(value, ArrayInfo):
            return ArrayInfo(value.kind, min(value.count, key.n_first))
        return value[: key.n_first] if isinstance(value, tuple) else value

    def settled(self) -> tuple[Made, ...]:
        """The tensors with their offsets from the start of the data."""
        placed, offset = [], 0
        for made in self.tensors:
            placed.append(replace(made, info=replace(made.info, offset=offset)))
            offset += made.info.n_bytes + -made.info.n_bytes % DEFAULT_ALIGNMENT
        return tuple(placed)

    def read_head(self, path: Path) -> bytes:
        """Everything before the data; `path` is the source. Raises BadModelFile, OSError."""
        keys = b"".join(_read_keys(path, self.keys))
        head = LITTLE + struct.pack("<IQQ", _VERSION, len(self.tensors), len(self.keys)) + keys
        head += b"".join(map(_describe, self.settled()))
        return head + bytes(-len(head) % DEFAULT_ALIGNMENT)


def _describe(made: Made) -> bytes:
    info = made.info
    return _string(info.name) + struct.pack(
        f"<I{len(info.shape)}QIQ", len(info.shape), *info.shape, info.type_id, info.offset
    )


def _read_keys(path: Path, keys: Mapping[str, Key]) -> list[bytes]:
    places = locate_keys(path)
    pairs = []
    with FileIO(path) as file:
        for name, key in keys.items():
            if isinstance(key, Computed):
                values = key.make(read_header(path, arrays=True).metadata)
                pairs.append(_string(name) + _encode_array(key.kind, values))
                continue
            if not isinstance(key, Kept):
                pairs.append(_string(name) + _encode(key))
                continue
            place = places.get(key.name)
            if place is None:
                raise BadModelFile(f"key {quoted(key.name[:80])} is gone")
            file.seek(place.start)
            raw = file.read(len(place))
            (n_name,) = _LENGTH.unpack_from(raw)
            value = raw[_LENGTH.size + n_name :]
            pairs.append(_string(name) + (value if key.n_first is None else _cut(value, key)))
    return pairs


def _cut(value: bytes, key: Kept) -> bytes:
    """An array's first elements."""
    array, number, count = _ARRAY_HEAD.unpack_from(value)
    kind = ValueType(number)
    n_first = min(count, key.n_first or 0)
    end = _ARRAY_HEAD.size
    if kind is ValueType.STRING:
        for _ in range(n_first):
            (length,) = _LENGTH.unpack_from(value, end)
            end += _LENGTH.size + length
    else:
        end += n_first * SCALARS[kind].n_bytes
    return _ARRAY_HEAD.pack(array, number, n_first) + value[_ARRAY_HEAD.size : end]


def _string(text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return _LENGTH.pack(len(raw)) + raw


def _encode(value: Plain | tuple[Plain, ...]) -> bytes:
    if isinstance(value, tuple):
        return _encode_array(_kind(value[0] if value else 0, in_array=True), value)
    kind = _kind(value)
    return struct.pack("<I", kind) + _scalar(kind, value)


def _encode_array(kind: ValueType, values: Sequence[Plain]) -> bytes:
    head = _ARRAY_HEAD.pack(ValueType.ARRAY, kind, len(values))
    return head + b"".join(_scalar(kind, each) for each in values)


def _kind(value: Plain, *, in_array: bool = False) -> ValueType:
    match value:
        case bool():
            return ValueType.BOOL
        case int():
            return ValueType.I32 if in_array else ValueType.U32
        case float():
            return ValueType.F32
        case str():
            return ValueType.STRING


def _scalar(kind: ValueType, value: Plain) -> bytes:
    if isinstance(value, str):
        return _string(value)
    try:
        return struct.pack(f"<{SCALARS[kind].code}", value)
    except (struct.error, OverflowError):
        raise BadModelFile(f"a number is out of range: {value}") from None
