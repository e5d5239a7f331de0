"""eq, ne, lt, le, gt and ge: values of one basic kind are compared, others are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from puna.prompt.gotemplate.errors import CallError
from puna.prompt.gotemplate.formatting import PLAIN, format_value
from puna.prompt.gotemplate.limits import Meter
from puna.prompt.gotemplate.text import to_bytes
from puna.prompt.gotemplate.values import Struct, kind_of, type_name

__all__ = ["eq", "ge", "gt", "le", "lt", "ne"]

_BASIC = frozenset({"bool", "int", "float", "string"})
_ORDERED = frozenset({"int", "float", "string"})


def eq(meter: Meter, first: object, *others: object) -> bool:
    """Whether the first value equals any of the others."""
    if not others:
        raise CallError("missing argument for comparison")
    return any(_equal(meter, first, other) for other in others)


def _equal(meter: Meter, one: object, other: object) -> bool:
    kind, kind_other = kind_of(one), kind_of(other)
    basic = kind in _BASIC
    if (basic or kind_other in _BASIC) and kind != kind_other:
        if "nil" in (kind, kind_other):
            return False
        raise CallError(
            f"incompatible types for comparison: {type_name(one)} and {type_name(other)}"
        )
    if basic:
        return one == other
    if "nil" in (kind, kind_other):
        return kind == kind_other
    if kind != kind_other:
        raise CallError(
            f"non-comparable types {_shown(meter, one, 's')}: {type_name(one)}, "
            f"{type_name(other)}: {_shown(meter, other, 'v')}"
        )
    if not isinstance(one, Struct) or not isinstance(other, Struct) or not _is_flat(other):
        raise CallError(f"non-comparable type {_shown(meter, other, 's')}: {type_name(other)}")
    return one.type_name == other.type_name and one.fields == other.fields


def _is_flat(value: Struct) -> bool:
    return all(kind_of(inner) in _BASIC or inner is None for inner in value.fields.values())


def _shown(meter: Meter, value: object, verb: str) -> str:
    return format_value(meter, value, verb, PLAIN)


def ne(meter: Meter, one: object, other: object) -> bool:
    """Whether two values differ."""
    return not eq(meter, one, other)


def _less(one: object, other: object) -> bool:
    kind, kind_other = kind_of(one), kind_of(other)
    if kind not in _BASIC or kind_other not in _BASIC:
        raise CallError("invalid type for comparison")
    if kind != kind_other:
        raise CallError(
            f"incompatible types for comparison: {type_name(one)} and {type_name(other)}"
        )
    if kind not in _ORDERED:
        raise CallError("invalid type for comparison")
    if isinstance(one, str) and isinstance(other, str):
        return to_bytes(one) < to_bytes(other)
    return cast("Callable[[object], bool]", cast("int", one).__lt__)(other)


def lt(meter: Meter, one: object, other: object) -> bool:
    """Whether the first value is less than the second."""
    return _less(one, other)


def le(meter: Meter, one: object, other: object) -> bool:
    """Whether the first value is less than the second, or equal."""
    return _less(one, other) or eq(meter, one, other)


def gt(meter: Meter, one: object, other: object) -> bool:
    """Whether the first value is greater than the second."""
    return not le(meter, one, other)


def ge(meter: Meter, one: object, other: object) -> bool:
    """Whether the first value is greater than the second, or equal."""
    return not _less(one, other)
