"""Runs the pickles that torch writes for weights, without running what is in them.

A pickle is a program. This machine has a few instructions, knows a few names and calls nothing: any
bytes give texts, numbers, lists and tensors' views, or Wrong. Facts: conversion spec, section 9.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO

from puna.convert.safetensors import MAX_ELEMENTS, MAX_RANK

__all__ = ["Machine", "Storage", "View", "Wrong"]

MAX_STEPS = 1 << 21

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


@dataclass(frozen=True, slots=True)
class _Name:
    """One of the allowed names; it stands for itself and is never looked up."""

    text: str


@dataclass(frozen=True, slots=True)
class Storage:
    """Numbers of one kind in one piece, under the name that the file has for them."""

    key: str
    kind: str
    n_elements: int


@dataclass(frozen=True, slots=True)
class View:
    """A tensor: which elements of a storage, in which order."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Mark:
    """Where a group of values begins on the stack."""


class Wrong(Exception):
    """What is wrong with the program."""


class Machine:
    """Runs the instructions that torch needs to write names, numbers and tensors."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._kept: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def run(self, program: BinaryIO) -> Any:
        """What the program leaves; the file stands behind it then. Raises Wrong."""
        try:
            for step, (code, value, _) in enumerate(pickletools.genops(program)):
                if step >= MAX_STEPS:
                    raise Wrong(f"has more than {MAX_STEPS} instructions")
                if code.name == "STOP":
                    return self._stack.pop()
                do = _CODES.get(code.name)
                if do is None:
                    raise Wrong(f"has the instruction {code.name}, which no weights need")
                do(self, value)
        except (ValueError, IndexError, KeyError, UnicodeError, OverflowError) as cause:
            raise Wrong("its pickle is broken") from cause
        raise Wrong("its pickle is cut off")

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
            raise Wrong(f"asks for {text[:80]!r}, which may run code: it is refused")
        self._stack.append(_Name(text))

    def pop_group(self) -> list[Any]:
        for at in range(len(self._stack) - 1, -1, -1):
            if isinstance(self._stack[at], _Mark):
                group = self._stack[at + 1 :]
                del self._stack[at:]
                return group
        raise Wrong("its pickle is broken")

    def tuple_of(self, count: int) -> None:
        if len(self._stack) < count:
            raise Wrong("its pickle is broken")
        values = tuple(self._stack[-count:])
        del self._stack[-count:]
        self._stack.append(values)

    def tuple_group(self, _: Any) -> None:
        self._stack.append(tuple(self.pop_group()))

    def set_items(self, group: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(group) % 2:
            raise Wrong("its pickle is broken")
        for key, value in zip(group[::2], group[1::2], strict=True):
            if type(key) not in (str, int):
                raise Wrong("has a name that is no text")
            target[key] = value

    def append(self, group: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise Wrong("its pickle is broken")
        target.extend(group)

    def state(self, _: Any) -> None:
        """What an OrderedDict carries beside its items, versions of modules, is of no use."""
        self._stack.pop()
        if not isinstance(self._stack[-1], dict):
            raise Wrong("sets the state of an object: it is refused")

    def storage(self, _: Any) -> None:
        match self._stack.pop():
            case ("storage", _Name(text), str(key), str(), int(n_elements), *rest) if (
                text.startswith("torch ")
                and 0 <= n_elements <= MAX_ELEMENTS
                and rest in ([], [None])
            ):
                storage = Storage(key, _KINDS[text[6:]], n_elements)
                if self.storages.setdefault(key, storage) != storage:
                    raise Wrong("has a storage of two kinds or sizes")
                self._stack.append(storage)
            case _:
                raise Wrong("has a reference that is no storage of torch's")

    def call(self, _: Any) -> None:
        arguments, name = self._stack.pop(), self._stack.pop()
        match name, arguments:
            case _Name(text), () if text == _ORDERED:
                self._stack.append({})
            case _Name(text), (View() as view, *_) if text == _PARAMETER:
                self._stack.append(view)
            case (
                _Name(text),
                (Storage() as storage, int(offset), tuple(shape), tuple(strides), *_),
            ) if text == _REBUILD:
                self._stack.append(_view(storage, offset, shape, strides))
            case _:
                raise Wrong("calls something that no weights need: it is refused")


def _view(storage: Storage, offset: int, shape: tuple[Any, ...], strides: tuple[Any, ...]) -> View:
    """Raises Wrong for a view that leaves its storage, or has elements several times."""
    wholes = (offset, *shape, *strides)
    if any(type(n) is not int or not 0 <= n <= MAX_ELEMENTS for n in wholes):
        raise Wrong("has a tensor whose shape is not of whole numbers")
    if len(shape) != len(strides) or len(shape) > MAX_RANK:
        raise Wrong("has a tensor whose shape and strides do not go together")
    n_elements = math.prod(shape)
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if n_elements > storage.n_elements or (n_elements and last >= storage.n_elements):
        raise Wrong("has a tensor that is larger than what is stored of it")
    return View(storage, offset, shape, strides)


_Do = Callable[[Machine, Any], None]
_CODES: Mapping[str, _Do] = MappingProxyType(
    {
        **dict.fromkeys(("PROTO", "FRAME"), lambda m, v: None),
        **dict.fromkeys(
            ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"), Machine.push
        ),
        "SHORT_BINUNICODE": Machine.push,
        "NONE": lambda m, v: m.push(None),
        "NEWTRUE": lambda m, v: m.push(True),
        "NEWFALSE": lambda m, v: m.push(False),
        "EMPTY_DICT": lambda m, v: m.push({}),
        "EMPTY_LIST": lambda m, v: m.push([]),
        "EMPTY_TUPLE": lambda m, v: m.push(()),
        "MARK": lambda m, v: m.push(_Mark()),
        **dict.fromkeys(("BINGET", "LONG_BINGET"), Machine.get),
        **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine.keep),
        **dict.fromkeys(("GLOBAL", "STACK_GLOBAL"), Machine.name),
        "TUPLE1": lambda m, v: m.tuple_of(1),
        "TUPLE2": lambda m, v: m.tuple_of(2),
        "TUPLE3": lambda m, v: m.tuple_of(3),
        "TUPLE": Machine.tuple_group,
        "SETITEM": lambda m, v: m.set_items([m.pop(), m.pop()][::-1]),
        "SETITEMS": lambda m, v: m.set_items(m.pop_group()),
        "APPEND": lambda m, v: m.append([m.pop()]),
        "APPENDS": lambda m, v: m.append(m.pop_group()),
        "BUILD": Machine.state,
        "BINPERSID": Machine.storage,
        "REDUCE": Machine.call,
    }
)
