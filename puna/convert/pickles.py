"""Reads where the tensors of torch's zip files lie, without running what is in them.

A pickle is a program. Ours is read by a machine of a few instructions that knows five names and
calls nothing: any bytes give a list of tensors or BadCheckpoint. Facts: conversion spec, section 9.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from numpy.lib.stride_tricks import as_strided

from puna.convert.kinds import Array, itemsize
from puna.convert.safetensors import MAX_ELEMENTS, MAX_NAME, MAX_RANK, MAX_TENSORS, Place
from puna.convert.tensor import Tensor, stored
from puna.errors import BadCheckpoint

__all__ = ["read_pickled"]

MAX_PROGRAM = 64 << 20  # bytes
MAX_STEPS = 1 << 21
MAX_DIRECTORY = 64 << 20  # bytes of the list of a zip file's members
MAX_MEMBERS = 1 << 18

_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "DoubleStorage": "F64",
        "FloatStorage": "F32",
        "HalfStorage": "F16",
        "BFloat16Storage": "BF16",
        "LongStorage": "I64",
        "IntStorage": "I32",
        "ShortStorage": "I16",
        "CharStorage": "I8",
        "ByteStorage": "U8",
        "BoolStorage": "BOOL",
    }
)
_REBUILD = "torch._utils _rebuild_tensor_v2"
_PARAMETER = "torch._utils _rebuild_parameter"
_ORDERED = "collections OrderedDict"
_NAMES = frozenset({_REBUILD, _PARAMETER, _ORDERED, *(f"torch {name}" for name in _KINDS)})
_WRAPPERS = ("state_dict", "model", "module")


@dataclass(frozen=True, slots=True)
class _Name:
    """One of the allowed names; it stands for itself and is never looked up."""

    text: str


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    kind: str
    n_elements: int


@dataclass(frozen=True, slots=True)
class _View:
    """A tensor: which elements of a storage, in which order."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Mark:
    """Where a group of values begins on the stack."""


class _Wrong(Exception):
    """What is wrong with the program."""


def read_pickled(path: Path) -> dict[str, Tensor]:
    """Every tensor of torch's file, by its name. Raises BadCheckpoint, OSError."""
    try:
        with path.open("rb") as file:
            members = _members(path, file)
            program = _program(path, file, members)
            views = _tensors(_Machine().run(program))
            starts: dict[str, int] = {}
            return {
                name: _tensor(path, file, members, starts, name, view)
                for name, view in views.items()
            }
    except _Wrong as wrong:
        raise BadCheckpoint(path.name, str(wrong)) from None


# ---- the zip file


def _members(path: Path, file: BinaryIO) -> dict[str, zipfile.ZipInfo]:
    """Its members, by their names under the folder that torch puts around all."""
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            found = archive.infolist()
    # NotImplementedError is what zipfile raises for versions and flags that it does not know
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as cause:
        raise BadCheckpoint(path.name, "is cut off or not a file of torch since 1.6") from cause
    members: dict[str, zipfile.ZipInfo] = {}
    for member in found:
        name = member.filename.partition("/")[2]
        if name in members:
            raise _Wrong("has a member twice")
        members[name] = member
    return members


def _check_directory(file: BinaryIO) -> None:
    """The list of members is read as a whole: it must be small."""
    size = file.seek(0, 2)
    file.seek(max(size - 22, 0))
    end = file.read(22)
    if len(end) < 22 or end[:4] != b"PK\5\6":
        raise _Wrong(
            "is cut off or not a zip file as torch writes since 1.6: "
            "load it with torch and save it as safetensors"
        )
    count, length = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if size >= 98:
        file.seek(size - 98)
        wide = file.read(76)
        if wide[56:60] == b"PK\6\7":  # the locator of a directory in 64 bits, just before
            if wide[:4] != b"PK\6\6":
                raise _Wrong("its list of members is not where torch writes it")
            count, length = (int.from_bytes(wide[at : at + 8], "little") for at in (32, 40))
    if count > MAX_MEMBERS or length > MAX_DIRECTORY:
        raise _Wrong(f"{count} members are over the limit {MAX_MEMBERS}")
    file.seek(0)


def _start(file: BinaryIO, member: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin. Raises _Wrong unless they are stored as they are."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise _Wrong("has members that are compressed or encrypted: torch writes none")
    file.seek(member.header_offset)
    head = file.read(30)
    if len(head) < 30 or head[:4] != b"PK\3\4":
        raise _Wrong("has a member without a header")
    begin = member.header_offset + 30
    begin += int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    if member.file_size != member.compress_size or begin + member.file_size > file.seek(0, 2):
        raise _Wrong("is cut off")
    return begin


def _program(path: Path, file: BinaryIO, members: Mapping[str, zipfile.ZipInfo]) -> bytes:
    def content(name: str, limit: int) -> bytes:
        begin = _start(file, members[name])
        if members[name].file_size > limit:
            raise _Wrong(f"{name} of {members[name].file_size} bytes is over {limit}")
        file.seek(begin)
        return file.read(members[name].file_size)

    if "data.pkl" not in members:
        raise _Wrong("has no data.pkl: it is not a file of torch's")
    if "byteorder" in members and content("byteorder", 16) != b"little":
        raise _Wrong("its numbers are big-endian")
    return content("data.pkl", MAX_PROGRAM)


# ---- the program


class _Machine:
    """Runs the instructions that torch needs to write names, numbers and tensors."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._kept: dict[int, Any] = {}

    def run(self, program: bytes) -> Any:
        """What the program leaves. Raises _Wrong."""
        try:
            for step, (code, value, _) in enumerate(pickletools.genops(program)):
                if step >= MAX_STEPS:
                    raise _Wrong(f"has more than {MAX_STEPS} instructions")
                if code.name == "STOP":
                    return self._stack.pop()
                do = _CODES.get(code.name)
                if do is None:
                    raise _Wrong(f"has the instruction {code.name}, which no weights need")
                do(self, value)
        except (ValueError, IndexError, KeyError, UnicodeError, OverflowError) as cause:
            raise _Wrong("its pickle is broken") from cause
        raise _Wrong("its pickle is cut off")

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        return self._stack.pop()

    def get(self, number: int) -> None:
        self._stack.append(self._kept[int(number)])

    def keep(self, number: int | None) -> None:
        self._kept[len(self._kept) if number is None else int(number)] = self._stack[-1]

    def name(self, text: str | None) -> None:
        if text is None:
            name, module = self._stack.pop(), self._stack.pop()
            text = f"{module} {name}" if type(name) is type(module) is str else ""
        if text not in _NAMES:
            raise _Wrong(f"asks for {text[:80]!r}, which may run code: it is refused")
        self._stack.append(_Name(text))

    def pop_group(self) -> list[Any]:
        for at in range(len(self._stack) - 1, -1, -1):
            if isinstance(self._stack[at], _Mark):
                group = self._stack[at + 1 :]
                del self._stack[at:]
                return group
        raise _Wrong("its pickle is broken")

    def tuple_of(self, count: int) -> None:
        if len(self._stack) < count:
            raise _Wrong("its pickle is broken")
        values = tuple(self._stack[-count:])
        del self._stack[-count:]
        self._stack.append(values)

    def tuple_group(self, _: Any) -> None:
        self._stack.append(tuple(self.pop_group()))

    def set_items(self, group: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(group) % 2:
            raise _Wrong("its pickle is broken")
        for key, value in zip(group[::2], group[1::2], strict=True):
            if type(key) not in (str, int):
                raise _Wrong("has a name that is no text")
            target[key] = value

    def append(self, group: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise _Wrong("its pickle is broken")
        target.extend(group)

    def state(self, _: Any) -> None:
        """What an OrderedDict carries beside its items, versions of modules, is of no use."""
        self._stack.pop()
        if not isinstance(self._stack[-1], dict):
            raise _Wrong("sets the state of an object: it is refused")

    def storage(self, _: Any) -> None:
        match self._stack.pop():
            case ("storage", _Name(text), str(key), str(), int(n_elements)) if (
                text.startswith("torch ") and 0 <= n_elements <= MAX_ELEMENTS
            ):
                self._stack.append(_Storage(key, _KINDS[text[6:]], n_elements))
            case _:
                raise _Wrong("has a reference that is no storage of torch's")

    def call(self, _: Any) -> None:
        arguments, name = self._stack.pop(), self._stack.pop()
        match name, arguments:
            case _Name(text), () if text == _ORDERED:
                self._stack.append({})
            case _Name(text), (_View() as view, *_) if text == _PARAMETER:
                self._stack.append(view)
            case (
                _Name(text),
                (_Storage() as storage, int(offset), tuple(shape), tuple(strides), *_),
            ) if text == _REBUILD:
                self._stack.append(_view(storage, offset, shape, strides))
            case _:
                raise _Wrong("calls something that no weights need: it is refused")


def _view(
    storage: _Storage, offset: int, shape: tuple[Any, ...], strides: tuple[Any, ...]
) -> _View:
    """Raises _Wrong for a view that leaves its storage, or has elements several times."""
    wholes = (offset, *shape, *strides)
    if any(type(n) is not int or not 0 <= n <= MAX_ELEMENTS for n in wholes):
        raise _Wrong("has a tensor whose shape is not of whole numbers")
    if len(shape) != len(strides) or len(shape) > MAX_RANK:
        raise _Wrong("has a tensor whose shape and strides do not go together")
    n_elements = math.prod(shape)
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if n_elements > storage.n_elements or (n_elements and last >= storage.n_elements):
        raise _Wrong("has a tensor that is larger than what is stored of it")
    return _View(storage, offset, shape, strides)


_Do = Callable[[_Machine, Any], None]
_CODES: Mapping[str, _Do] = MappingProxyType(
    {
        **dict.fromkeys(("PROTO", "FRAME"), lambda m, v: None),
        **dict.fromkeys(
            ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"), _Machine.push
        ),
        "SHORT_BINUNICODE": _Machine.push,
        "NONE": lambda m, v: m.push(None),
        "NEWTRUE": lambda m, v: m.push(True),
        "NEWFALSE": lambda m, v: m.push(False),
        "EMPTY_DICT": lambda m, v: m.push({}),
        "EMPTY_LIST": lambda m, v: m.push([]),
        "EMPTY_TUPLE": lambda m, v: m.push(()),
        "MARK": lambda m, v: m.push(_Mark()),
        **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
        **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.keep),
        **dict.fromkeys(("GLOBAL", "STACK_GLOBAL"), _Machine.name),
        "TUPLE1": lambda m, v: m.tuple_of(1),
        "TUPLE2": lambda m, v: m.tuple_of(2),
        "TUPLE3": lambda m, v: m.tuple_of(3),
        "TUPLE": _Machine.tuple_group,
        "SETITEM": lambda m, v: m.set_items([m.pop(), m.pop()][::-1]),
        "SETITEMS": lambda m, v: m.set_items(m.pop_group()),
        "APPEND": lambda m, v: m.append([m.pop()]),
        "APPENDS": lambda m, v: m.append(m.pop_group()),
        "BUILD": _Machine.state,
        "BINPERSID": _Machine.storage,
        "REDUCE": _Machine.call,
    }
)


# ---- the tensors


def _tensors(top: Any) -> dict[str, _View]:
    """The tensors by name, from under a trainer's wrapper if there is one."""
    for wrapper in _WRAPPERS:
        if isinstance(top, dict) and isinstance(top.get(wrapper), dict):
            top = top[wrapper]
            break
    if not isinstance(top, dict) or not top:
        raise _Wrong("holds no tensors by name")
    if len(top) > MAX_TENSORS:
        raise _Wrong(f"{len(top)} tensors are over the limit {MAX_TENSORS}")
    for name, view in top.items():
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            raise _Wrong("a tensor's name must have 1 to 1024 characters")
        if not isinstance(view, _View):
            raise _Wrong(f"{name[:80]!r} is no tensor")
    return top


def _tensor(
    path: Path,
    file: BinaryIO,
    members: Mapping[str, zipfile.ZipInfo],
    starts: dict[str, int],
    name: str,
    view: _View,
) -> Tensor:
    storage, member = view.storage, members.get(f"data/{view.storage.key}")
    size = itemsize(storage.kind)
    if member is None or member.file_size != storage.n_elements * size:
        raise BadCheckpoint(path.name, "its storage is missing or of another size", name)
    if storage.key not in starts:
        starts[storage.key] = _start(file, member)
    begin = starts[storage.key] + view.offset * size
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
