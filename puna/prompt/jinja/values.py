"""Operations on values that a template may ask for, each refused before it costs too much.

It knows Python's values and the meter, but no template language.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Protocol, cast

from puna.errors import TemplateError
from puna.prompt.jinja.meter import Meter

__all__ = ["ATTRIBUTES", "binary", "call_method", "join", "make_dict", "replace", "text", "to_json"]

WIDTH = 1000  # the widest field a format may ask for
NARROW = 256  # the longest set of characters to strip, and the longest time format

_SAFE_STR = frozenset({
    "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii",
    "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace",
    "istitle", "isupper", "lower", "partition", "removeprefix", "removesuffix", "startswith",
    "swapcase", "title", "upper",
})  # fmt: skip
_SAFE = (
    (dict, frozenset({"get", "keys", "values", "items", "copy"})),
    (list, frozenset({"index", "count", "copy"})),
    (tuple, frozenset({"index", "count"})),
    (float, frozenset({"is_integer"})),
)
_LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_PERCENT = re.compile(
    r"%(?:\((?P<key>[^()]*)\))?[-+ #0]*"
    r"(?P<width>\*|\d*)(?:\.(?P<precision>\*|\d*))?[hlL]?(?P<kind>.)",
    re.DOTALL,
)


class _Method(Protocol):
    def __call__(self, meter: Meter, owner: str, /, *args: object, **kwargs: object) -> object: ...


def text(meter: Meter, value: object) -> str:
    """The value as it is printed."""
    if isinstance(value, str):
        return str(value)
    meter.touch(value)
    return str(value)


def join(meter: Meter, glue: str, values: Iterable[object]) -> str:
    """The printed values with `glue` between them."""
    parts = [text(meter, value) for value in meter.walk(values)]
    meter.fits(sum(map(len, parts)) + len(glue) * max(len(parts) - 1, 0))
    return meter.hold(glue.join(parts))


def replace(meter: Meter, owner: str, old: str, new: str, count: int = -1) -> str:
    """Every `old` (or the first `count`) replaced by `new`."""
    found = owner.count(old)
    meter.fits(len(owner) + (found if count < 0 else min(found, count)) * len(new))
    return owner.replace(old, new, count)


def make_dict(meter: Meter, pairs: Iterable[tuple[object, object]]) -> dict[object, object]:
    """A dict with keys of the kinds JSON knows; others could be slow to hash."""
    made: dict[object, object] = {}
    for key, value in meter.walk(pairs):
        if not isinstance(key, str | int | float | None):
            raise TemplateError(f"a {type(key).__name__} as a key")
        made[meter.hold(key)] = value
    return meter.hold(made)


def to_json(
    meter: Meter,
    value: object,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as chat templates expect it: nothing escaped for HTML, keys in their own order."""
    meter.touch(value)
    encoder = json.JSONEncoder(
        ensure_ascii=ensure_ascii,
        indent=_short(indent),
        separators=None if separators is None else _two_short(separators),
        sort_keys=sort_keys,
    )
    if indent is None:
        return meter.hold(encoder.encode(value))
    # line breaks and their indents are not in the value's weight: count them as they come
    pieces, size = [], 0
    for piece in encoder.iterencode(value):
        meter.spend()
        size += len(piece)
        meter.fits(size)
        pieces.append(piece)
    return meter.hold("".join(pieces))


def _short(indent: int | str | None) -> int | str | None:
    size = len(indent) if isinstance(indent, str) else indent
    if size is not None and size > 16:
        raise TemplateError("an indent of more than 16 characters")
    return indent


def _two_short(separators: Iterable[str]) -> tuple[str, str]:
    between, after = separators
    if len(between) > 16 or len(after) > 16:
        raise TemplateError("a separator of more than 16 characters")
    return between, after


def binary(meter: Meter, sign: str, left: object, right: object) -> object:
    """`left sign right` for the arithmetic signs."""
    meter.touch(left, right)
    match sign, left, right:
        case "*", str() | list() | tuple(), int():
            meter.fits(meter.weigh(left) * max(right, 0))
        case "*", int(), str() | list() | tuple():
            meter.fits(meter.weigh(right) * max(left, 0))
        case "+", str(), str():
            meter.fits(len(left) + len(right))
        case "+", list() | tuple(), list() | tuple():
            meter.fits(meter.weigh(left) + meter.weigh(right))
        case "%", str(), _:
            _check_percent(meter, left, right)
        case "**", int(), int():
            if abs(left) > 1 and right * abs(left).bit_length() > 256:
                raise TemplateError("a power that is too large")
        case _:
            meter.hold(left)
            meter.hold(right)
    return meter.hold(_SIGNS[sign](left, right))


_SIGNS: Mapping[str, Callable[[object, object], object]] = MappingProxyType(
    {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
        "//": operator.floordiv,
        "%": operator.mod,
        "**": operator.pow,
    }
)


def _check_percent(meter: Meter, pattern: str, values: object) -> None:
    """Refuse wide fields and results that would be too large; errors of form are Python's own."""
    fields, named = 0, False
    for field in _PERCENT.finditer(pattern):
        meter.spend()
        if field["kind"] not in "diouxXeEfFgGcrsa%":
            raise TemplateError(f"unsupported format {field[0][:20]!r}")
        for width in (field["width"], field["precision"] or ""):
            if width == "*" or len(width) > 3:
                raise TemplateError(f"a field of more than {WIDTH} characters")
        fields += 1
        named = named or field["key"] is not None
    meter.fits(len(pattern) + fields * WIDTH)
    meter.fits(meter.weigh(values) * (fields if named else 1))


def call_method(
    meter: Meter, owner: object, name: str, args: tuple[object, ...], kwargs: dict[str, object]
) -> object:
    """Call a method of a plain value; those that no chat template needs are refused."""
    meter.touch(owner, *args, *kwargs.values())
    if isinstance(owner, str):
        guarded = _GUARDED.get(name)
        if guarded is not None:
            return meter.hold(guarded(meter, owner, *args, **kwargs))
        if name in _SAFE_STR:
            return meter.hold(getattr(owner, name)(*args, **kwargs))
    for kind, names in _SAFE:
        if isinstance(owner, kind) and name in names:
            return meter.hold(getattr(owner, name)(*args, **kwargs))
    raise TemplateError(f"{type(owner).__name__}.{name}() is not available to templates")


def _str_join(meter: Meter, glue: str, values: Iterable[object]) -> str:
    parts = list(meter.walk(values))
    for part in parts:
        if not isinstance(part, str):
            raise TypeError(f"join: a text is expected, not {type(part).__name__}")
    return join(meter, glue, parts)


def _str_replace(meter: Meter, owner: str, old: str, new: str, count: int = -1) -> str:
    return replace(meter, owner, old, new, count)


def _padded(name: str) -> _Method:
    def pad(meter: Meter, owner: str, /, *args: object, **kwargs: object) -> object:
        if args and isinstance(args[0], int):
            meter.fits(4 * args[0])  # the fill may be a wide character
        return getattr(owner, name)(*args, **kwargs)

    return pad


def _stripped(name: str) -> _Method:
    def strip(meter: Meter, owner: str, /, *args: object, **kwargs: object) -> object:
        if args and isinstance(args[0], str) and len(args[0]) > NARROW:
            raise TemplateError(f"more than {NARROW} characters to strip")
        return getattr(owner, name)(*args, **kwargs)

    return strip


def _from_the_right(name: str) -> _Method:
    def search(meter: Meter, owner: str, /, *args: object, **kwargs: object) -> object:
        # Python searches backwards in the product of both lengths at worst
        needle = len(args[0]) if args and isinstance(args[0], str) else 1
        meter.spend((needle * len(owner)) >> 10)
        return getattr(owner, name)(*args, **kwargs)

    return search


def _split(meter: Meter, owner: str, sep: str | None = None, maxsplit: int = -1) -> list[str]:
    return _few(meter, owner.split(sep, _most(meter, maxsplit)))


def _rsplit(meter: Meter, owner: str, sep: str | None = None, maxsplit: int = -1) -> list[str]:
    meter.spend((len(sep or " ") * len(owner)) >> 10)
    return _few(meter, owner.rsplit(sep, _most(meter, maxsplit)))


def _most(meter: Meter, maxsplit: int) -> int:
    most = meter.limits.items
    return most if maxsplit < 0 else min(maxsplit, most)


def _few(meter: Meter, parts: list[str]) -> list[str]:
    if len(parts) > meter.limits.items:
        raise TemplateError(f"more than {meter.limits.items} items")
    return parts


def count_lines(owner: str) -> int:
    """At least as many as `splitlines` would give."""
    return 1 + sum(owner.count(char) for char in _LINE_BREAKS)


def _splitlines(meter: Meter, owner: str, keepends: bool = False) -> list[str]:
    if count_lines(owner) > meter.limits.items:
        raise TemplateError(f"more than {meter.limits.items} lines")
    return owner.splitlines(keepends)


_GUARDED: Mapping[str, _Method] = MappingProxyType(
    {
        "join": cast("_Method", _str_join),
        "replace": cast("_Method", _str_replace),
        "split": cast("_Method", _split),
        "rsplit": cast("_Method", _rsplit),
        "splitlines": cast("_Method", _splitlines),
        **{name: _padded(name) for name in ("center", "ljust", "rjust", "zfill")},
        **{name: _stripped(name) for name in ("strip", "lstrip", "rstrip")},
        **{name: _from_the_right(name) for name in ("rfind", "rindex", "rpartition")},
    }
)

# what a template may look up on a plain value; `format` is the template layer's own
ATTRIBUTES: tuple[tuple[type, frozenset[str]], ...] = (
    (str, _SAFE_STR | frozenset(_GUARDED) | {"format"}),
    *_SAFE,
)
