"""JSON byte for byte as Go writes it (a blob's name is the hash of its bytes); tolerant reading.

Facts: models spec, section 3.4. A plain mapping is written with sorted keys (a Go map), `Fields`
in their own order (a Go struct).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias, cast

__all__ = [
    "MAX_DEPTH",
    "Fields",
    "Json",
    "decode_first",
    "encode",
    "format_general",
    "format_number",
]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

_SPECIAL = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
MAX_DEPTH = 200
MAX_DIGITS = 308  # whatever has no more fits a double


class Fields(dict[str, Json]):
    """An object whose fields are written in the order in which they were put in."""


def encode(value: Json, *, newline: bool = False) -> bytes:
    """Write `value` compactly; `newline` ends it in one LF, as stored documents do.

    Raises ValueError for numbers that JSON cannot hold, and for nesting that is too deep.
    """
    if _is_deep(value):
        raise ValueError("nested too deeply")
    return (_text(value) + ("\n" if newline else "")).encode()


def _is_deep(value: Json) -> bool:
    """Whether it is nested deeper than what reads and writes it may recurse."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [part for each in level for part in _parts(each)]
        if not level:
            return False
    return True


def _parts(value: Json) -> Iterable[Json]:
    match value:
        case str():
            return ()
        case Mapping():
            return value.values()
        case Sequence():
            return value
        case _:
            return ()


def _text(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{_SPECIAL.sub(_escape, value)}"'
        case int() | float():
            return format_number(value)
        case Mapping():
            keys = value if isinstance(value, Fields) else sorted(value, key=_key_bytes)
            return "{" + ",".join(f"{_text(key)}:{_text(value[key])}" for key in keys) + "}"
        case _:
            return "[" + ",".join(map(_text, value)) + "]"


def _key_bytes(key: str) -> bytes:
    return key.encode(errors="surrogatepass")


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if "\ud800" <= char <= "\udfff":
        return _REPLACEMENT
    return _SHORT.get(char) or f"\\u{ord(char):04x}"


def format_number(value: float) -> str:
    """Write a number as Go's JSON does: shortest digits, an exponent below 1e-6 and from 1e21."""
    if isinstance(value, int):
        return str(value)
    sign, digits, point = _decimal(value)
    if digits == "0" or -6 < point <= 21:
        return sign + _positional(digits, point)
    return sign + _scientific(digits, point - 1, width=1)


def format_general(value: float) -> str:
    """Write a number as Go prints a float: an exponent below 1e-4 and from 1e6 (`1.048576e+06`)."""
    sign, digits, point = _decimal(float(value))
    if digits == "0" or -4 < point <= 6:
        return sign + _positional(digits, point)
    return sign + _scientific(digits, point - 1, width=2)


def _decimal(value: float) -> tuple[str, str, int]:
    """The sign, the shortest digits, and where the point stands among them (`123`, 1 is 1.23)."""
    if not math.isfinite(value):
        raise ValueError(f"unsupported value: {value}")
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits))
    return "-" if sign else "", text.rstrip("0") or "0", len(text) + cast(int, exponent)


def _positional(digits: str, point: int) -> str:
    if digits == "0":
        return "0"
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"


def _scientific(digits: str, exponent: int, width: int) -> str:
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):0{width}d}"


def decode_first(raw: bytes) -> Json:
    """Read the first JSON value in `raw` and ignore what follows it.

    Bad UTF-8 and lone surrogates become U+FFFD. Raises ValueError, also for NaN, for numbers
    beyond a double and for nesting that is too deep.
    """
    text = raw.decode("utf-8", errors="replace").lstrip(" \t\r\n")
    try:
        value: Json = _DECODER.raw_decode(text)[0]
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _is_deep(value):
        raise ValueError("nested too deeply")
    return _without_surrogates(value) if "\\u" in text else value


def _without_surrogates(value: Json) -> Json:
    match value:
        case str():
            return _SURROGATE.sub(_REPLACEMENT, value)
        case Mapping():
            return {
                _SURROGATE.sub(_REPLACEMENT, key): _without_surrogates(item)
                for key, item in value.items()
            }
        case list():
            return [_without_surrogates(item) for item in value]
        case _:
            return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"number out of range: {text[:40]}")
    return number


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"number out of range: {text[:40]}")
    return int(text)


def _refuse(text: str) -> Any:
    raise ValueError(f"invalid number {text}")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_int=_whole, parse_constant=_refuse)
