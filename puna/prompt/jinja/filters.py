"""The filters of chat templates: jinja2's own where they are harmless once counted, else ours.

Left out are those about HTML pages, randomness and pretty-printing.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import cast

from jinja2 import pass_context
from jinja2.filters import FILTERS as JINJA
from jinja2.runtime import Context

from puna.errors import TemplateError
from puna.prompt.jinja.guards import CONCAT, DICT, HOLD, SLICE, TOUCH
from puna.prompt.jinja.meter import Meter
from puna.prompt.jinja.values import (
    WIDTH,
    binary,
    call_method,
    count_lines,
    join,
    make_dict,
    replace,
    text,
    to_json,
)

__all__ = ["FILTERS"]

Filter = Callable[..., object]


def meter_of(context: Context) -> Meter:
    """The meter of the rendering under way."""
    return cast("Meter", context.environment.meter)  # type: ignore[attr-defined]


def _counted(inner: Filter, *, walks: bool = False, takes_none: bool = False) -> Filter:
    """One of jinja2's filters; with `walks` its input is counted item by item.

    With `takes_none` jinja2's own makes an empty sequence of None.
    """
    wants = getattr(getattr(inner, "jinja_pass_arg", None), "name", "")

    @pass_context
    def counted(context: Context, value: object, *args: object, **kwargs: object) -> object:
        meter = meter_of(context)
        meter.touch(value, *args, *kwargs.values())
        before = {
            "context": (context,),
            "eval_context": (context.eval_ctx,),
            "environment": (context.environment,),
        }.get(wants, ())
        as_it_is = not walks or (takes_none and value is None)
        subject = value if as_it_is else meter.walk(cast("Iterable[object]", value))
        return meter.hold(inner(*before, subject, *args, **kwargs))

    return counted


def _own(inner: Filter) -> Filter:
    """A filter of ours, which takes the meter before its value."""

    @pass_context
    def own(context: Context, value: object, *args: object, **kwargs: object) -> object:
        meter = meter_of(context)
        meter.touch(value, *args, *kwargs.values())
        return meter.hold(inner(meter, value, *args, **kwargs))

    return own


@pass_context
def _touch(context: Context, value: object) -> object:
    meter_of(context).touch(value)
    return value


@pass_context
def _hold(context: Context, value: object) -> object:
    return meter_of(context).hold(value)


@pass_context
def _concat(context: Context, values: list[object]) -> str:
    return join(meter_of(context), "", values)


@pass_context
def _dict(context: Context, pairs: list[tuple[object, object]]) -> object:
    return make_dict(meter_of(context), pairs)


@pass_context
def _slice(
    context: Context, value: object, start: int | None, stop: int | None, step: int | None
) -> object:
    meter = meter_of(context)
    meter.touch(value)
    return meter.hold(cast("list[object]", value)[start:stop:step])


@pass_context
def _join(
    context: Context, value: Iterable[object], d: str = "", attribute: str | int | None = None
) -> str:
    meter = meter_of(context)
    meter.touch(value, d, attribute)
    if attribute is not None:
        value = cast("Iterable[object]", JINJA["map"](context, value, attribute=attribute))
    return join(meter, text(meter, d), value)


@pass_context
def _sum(
    context: Context,
    value: Iterable[object],
    attribute: str | int | None = None,
    start: object = 0,
) -> object:
    meter = meter_of(context)
    if attribute is not None:
        value = cast("Iterable[object]", JINJA["map"](context, value, attribute=attribute))
    total = start
    for item in meter.walk(value):
        total = binary(meter, "+", total, item)
    return total


def _escape(meter: Meter, value: object) -> str:
    return html.escape(text(meter, value)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _format(meter: Meter, value: object, *args: object, **kwargs: object) -> object:
    if args and kwargs:
        raise TemplateError("format takes either positional or named values")
    return binary(meter, "%", text(meter, value), kwargs or args)


def _indent(
    meter: Meter, value: str, width: int | str = 4, first: bool = False, blank: bool = False
) -> object:
    size = len(width) if isinstance(width, str) else width
    if size > WIDTH:
        raise TemplateError(f"an indent of more than {WIDTH} characters")
    meter.fits(len(value) + size * count_lines(value))
    return JINJA["indent"](value, width, first, blank)


def _replace(
    meter: Meter, value: object, old: object, new: object, count: int | None = None
) -> str:
    words = (text(meter, old), text(meter, new))
    return replace(meter, text(meter, value), *words, -1 if count is None else count)


def _center(meter: Meter, value: object, width: int = 80) -> object:
    return call_method(meter, text(meter, value), "center", (width,), {})


def _trim(meter: Meter, value: object, chars: str | None = None) -> object:
    return call_method(meter, text(meter, value), "strip", (chars,), {})


def _reverse(meter: Meter, value: Iterable[object]) -> object:
    return value[::-1] if isinstance(value, str) else reversed(list(meter.walk(value)))


def _round(meter: Meter, value: float, precision: int = 0, method: str = "common") -> object:
    if abs(precision) > 100:
        raise TemplateError("a precision of more than 100 digits")
    return JINJA["round"](value, precision, method)


def _batch(
    meter: Meter, value: Iterable[object], linecount: int, fill_with: object = None
) -> Iterator[object]:
    return meter.walk(JINJA["batch"](meter.walk(value), _few(meter, linecount), fill_with))


@pass_context
def _parts(
    context: Context, value: Iterable[object], slices: int, fill_with: object = None
) -> object:
    meter = meter_of(context)
    count = _few(meter, slices)
    return meter.walk(JINJA["slice"](context.eval_ctx, meter.walk(value), count, fill_with))


def _few(meter: Meter, count: int) -> int:
    if count > meter.limits.items:
        raise TemplateError(f"more than {meter.limits.items} items")
    return count


_HARMLESS = [
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items",
    "last", "length", "lower", "string", "title", "truncate", "upper", "wordcount",
]  # fmt: skip
_WALKING = ["groupby", "list", "max", "min", "sort", "unique"]
_WALKING_OR_NONE = ["map", "reject", "rejectattr", "select", "selectattr"]

FILTERS: Mapping[str, Filter] = MappingProxyType(
    {
        **{name: _counted(JINJA[name]) for name in _HARMLESS},
        **{name: _counted(JINJA[name], walks=True) for name in _WALKING},
        **{name: _counted(JINJA[name], walks=True, takes_none=True) for name in _WALKING_OR_NONE},
        "batch": _own(_batch),
        "center": _own(_center),
        "e": _own(_escape),
        "escape": _own(_escape),
        "format": _own(_format),
        "indent": _own(_indent),
        "join": _join,
        "replace": _own(_replace),
        "reverse": _own(_reverse),
        "round": _own(_round),
        "safe": _own(text),  # nothing is escaped by itself, so there is nothing to exempt
        "slice": _parts,
        "sum": _sum,
        "tojson": _own(to_json),
        "trim": _own(_trim),
        TOUCH: _touch,
        HOLD: _hold,
        CONCAT: _concat,
        DICT: _dict,
        SLICE: _slice,
    }
)
