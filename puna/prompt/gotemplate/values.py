"""The values that templates see: plain Python data, and what this module adds to it.

    None            nil                 bool, int, float, str
    list, tuple     []interface {}      dict (with texts as keys)   map[string]interface {}
    Struct          a struct            Function                    a function

Nothing is ever looked up on a Python object: a struct names its fields and methods itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

__all__ = ["ANY", "STRING", "Function", "NamedList", "NamedMap", "Struct", "kind_of", "type_name"]

ANY, STRING = "interface {}", "string"


@dataclass(frozen=True, slots=True)
class Function:
    """What a template may call. `params` are Go types, ANY or STRING; with `variadic` the last one
    may be given any number of times.

    `call` gets the arguments, after the meter of the execution where `metered` is set. It raises
    CallError, nothing else, and returns a value that templates can see.
    """

    call: Callable[..., object]
    params: tuple[str, ...] = ()
    variadic: bool = False
    metered: bool = False


class Struct:
    """A value with named fields, and perhaps methods. `text` is what printing it gives (Go's
    `String` method); without it the fields are printed.
    """

    __slots__ = ("fields", "methods", "text", "type_name")

    def __init__(
        self,
        type_name: str,
        fields: Mapping[str, object],
        *,
        methods: Mapping[str, Function] | None = None,
        text: Callable[[], str] | None = None,
    ) -> None:
        self.type_name = type_name
        self.fields = fields
        self.methods = methods or {}
        self.text = text


class NamedMap(dict[str, object]):
    """A map with a type of its own, which prints as `text` says."""

    __slots__ = ("text", "type_name")

    def __init__(
        self, type_name: str, items: Mapping[str, object], text: Callable[[], str]
    ) -> None:
        super().__init__(items)
        self.type_name = type_name
        self.text = text


class NamedList(list[object]):
    """A list with a type of its own, which prints as `text` says."""

    __slots__ = ("text", "type_name")

    def __init__(self, type_name: str, items: Iterable[object], text: Callable[[], str]) -> None:
        super().__init__(items)
        self.type_name = type_name
        self.text = text


def kind_of(value: object) -> str:
    """The sort of a value: `nil`, `bool`, `int`, `float`, `string`, `list`, `map`, `struct`,
    `func`, or `unknown` for a Python object that is none of these.
    """
    known = _KINDS.get(type(value))
    if known is not None:
        return known
    for sort, kind in _SUBCLASSED:
        if isinstance(value, sort):
            return kind
    return "unknown"


_KINDS: dict[type, str] = {
    type(None): "nil",
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    list: "list",
    tuple: "list",
    dict: "map",
    NamedMap: "map",
    NamedList: "list",
    Struct: "struct",
    Function: "func",
}
_SUBCLASSED: tuple[tuple[type, str], ...] = (
    (int, "int"),
    (float, "float"),
    (str, "string"),
    (list, "list"),
    (tuple, "list"),
    (dict, "map"),
    (Struct, "struct"),
)
_TYPES = {
    "nil": "<nil>",
    "bool": "bool",
    "int": "int",
    "float": "float64",
    "string": STRING,
    "list": "[]interface {}",
    "map": "map[string]interface {}",
    "func": "func",
    "unknown": "unknown",
}


def type_name(value: object) -> str:
    """The value's type as Go writes it."""
    if isinstance(value, Struct | NamedMap | NamedList):
        return value.type_name
    return _TYPES[kind_of(value)]
