"""The functions that every template has, but those that decide which arguments to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

from puna.prompt.gotemplate import comparing, escaping, printf
from puna.prompt.gotemplate.errors import CallError
from puna.prompt.gotemplate.limits import Meter
from puna.prompt.gotemplate.text import cut, size, to_bytes
from puna.prompt.gotemplate.values import ANY, STRING, Function, kind_of, type_name

__all__ = ["BUILTINS", "call_function"]


def _length(value: object) -> int:
    match kind_of(value):
        case "string":
            return size(cast("str", value))
        case "list" | "map":
            return len(cast("Sequence[object]", value))
        case "nil":
            raise CallError("len of nil pointer")
    raise CallError(f"len of type {type_name(value)}")


def _position(value: object, limit: int) -> int:
    kind = kind_of(value)
    if kind == "nil":
        raise CallError("cannot index slice/array with nil")
    if kind != "int":
        raise CallError(f"cannot index slice/array with type {type_name(value)}")
    position = cast("int", value)
    if not 0 <= position <= limit:
        raise CallError(f"index out of range: {position}")
    return position


def _index(item: object, *positions: object) -> object:
    if item is None:
        raise CallError("index of untyped nil")
    for position in positions:
        if item is None:
            raise CallError("index of nil pointer")
        item = _element(item, position)
    return item


def _element(item: object, position: object) -> object:
    match kind_of(item):
        case "map":
            if not isinstance(position, str):
                if position is None:
                    raise CallError("value is nil; should be of type string")
                raise CallError(f"value has type {type_name(position)}; should be string")
            return cast("dict[str, object]", item).get(position)
        case "list":
            values = cast("Sequence[object]", item)
            at = _position(position, len(values))
            if at == len(values):
                raise CallError("reflect: slice index out of range")
            return values[at]
        case "string":
            data = to_bytes(cast("str", item))
            at = _position(position, len(data))
            if at == len(data):
                raise CallError("reflect: string index out of range")
            return data[at]
    raise CallError(f"can't index item of type {type_name(item)}")


def _slice(item: object, *positions: object) -> object:
    if item is None:
        raise CallError("slice of untyped nil")
    if len(positions) > 3:
        raise CallError(f"too many slice indexes: {len(positions)}")
    kind = kind_of(item)
    if kind == "string" and len(positions) == 3:
        raise CallError("cannot 3-index slice a string")
    if kind not in ("string", "list"):
        raise CallError(f"can't slice item of type {type_name(item)}")
    length = _length(item)
    bounds = [_position(position, length) for position in positions]
    start, end, *_ = (bounds + [0, length][len(bounds) :]) if len(bounds) < 2 else bounds
    if start > end:
        raise CallError(f"invalid slice index: {start} > {end}")
    if len(bounds) == 3 and end > bounds[2]:
        raise CallError(f"invalid slice index: {end} > {bounds[2]}")
    if isinstance(item, str):
        return cut(item, start, end)
    return list(cast("Sequence[object]", item)[start:end])


def call_function(name: str, value: object, args: tuple[object, ...], meter: Meter) -> object:
    """Call a function that is a value; `name` is how the template spells it."""
    if value is None:
        raise CallError("call of nil")
    if not isinstance(value, Function):
        raise CallError(f"non-function {name} of type {type_name(value)}")
    least = len(value.params) - value.variadic
    if len(args) < least or (len(args) > least and not value.variadic):
        wanted = f"at least {least}" if value.variadic else str(least)
        raise CallError(f"wrong number of args for {name}: got {len(args)} want {wanted}")
    for at, arg in enumerate(args):
        wanted = value.params[min(at, len(value.params) - 1)]
        if wanted == STRING and not isinstance(arg, str):
            problem = (
                "value is nil; should be of type"
                if arg is None
                else (f"value has type {type_name(arg)}; should be")
            )
            raise CallError(f"arg {at}: {problem} {wanted}")
    return value.call(meter, *args) if value.metered else value.call(*args)


def _metered(call: object, *params: str, variadic: bool = False) -> Function:
    return Function(call, params, variadic, metered=True)  # type: ignore[arg-type]


BUILTINS: Mapping[str, Function] = MappingProxyType(
    {
        "eq": _metered(comparing.eq, ANY, ANY, variadic=True),
        "ne": _metered(comparing.ne, ANY, ANY),
        "lt": _metered(comparing.lt, ANY, ANY),
        "le": _metered(comparing.le, ANY, ANY),
        "gt": _metered(comparing.gt, ANY, ANY),
        "ge": _metered(comparing.ge, ANY, ANY),
        "not": Function(lambda value: not value, (ANY,)),
        "len": Function(_length, (ANY,)),
        "index": Function(_index, (ANY, ANY), variadic=True),
        "slice": Function(_slice, (ANY, ANY), variadic=True),
        "print": _metered(printf.sprint, ANY, variadic=True),
        "printf": _metered(printf.sprintf, STRING, ANY, variadic=True),
        "println": _metered(printf.sprintln, ANY, variadic=True),
        "html": _metered(escaping.html, ANY, variadic=True),
        "js": _metered(escaping.js, ANY, variadic=True),
        "urlquery": _metered(escaping.urlquery, ANY, variadic=True),
    }
)
