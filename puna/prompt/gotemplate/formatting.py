"""Go's fmt: how values are printed, alone and by the verbs of printf.

Facts: the documentation of Go's package fmt. Addresses are not printed: %p is a mistake here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from puna.prompt.gotemplate.errors import CallError
from puna.prompt.gotemplate.floats import format_float
from puna.prompt.gotemplate.limits import Meter
from puna.prompt.gotemplate.text import quote, quote_char, to_bytes
from puna.prompt.gotemplate.values import NamedList, NamedMap, Struct, kind_of, type_name

__all__ = ["Flags", "format_value", "printed"]

_TEXT_VERBS = frozenset("vsxXq")
_BASES = {"b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_MAX_RUNE = 0x10FFFF
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Flags:
    """What stands between `%` and the verb."""

    plus: bool = False
    plus_v: bool = False  # `%+v`: with names of fields
    minus: bool = False
    sharp: bool = False
    sharp_v: bool = False  # `%#v`: as Go source
    space: bool = False
    zero: bool = False
    width: int | None = None
    precision: int | None = None


PLAIN = Flags()


def printed(meter: Meter, value: object) -> str:
    """A value as `print` writes it."""
    if isinstance(value, str):
        return value
    text = format_value(meter, value, "v", PLAIN)
    meter.made(len(text))
    return text


def format_value(meter: Meter, value: object, verb: str, flags: Flags, depth: int = 0) -> str:
    """A value by a verb; a verb that does not fit gives Go's `%!d(string=x)`."""
    kind = kind_of(value)
    if kind == "nil":
        return _nil(verb, flags, depth)
    if verb == "T" and not depth:
        return _pad_text(type_name(value), flags)
    if verb in "pw":
        return _mistake(meter, value, verb, flags)
    if verb in _TEXT_VERBS and not flags.sharp_v:
        text = _own_text(value)
        if text is not None:
            return _string(text, "s" if verb == "v" else verb, flags)
    made = _BY_KIND[kind](meter, value, verb, flags, depth)
    return _mistake(meter, value, verb, flags) if made is None else made


def _own_text(value: object) -> str | None:
    if isinstance(value, Struct):
        return None if value.text is None else value.text()
    return value.text() if isinstance(value, NamedMap | NamedList) else None


def _nil(verb: str, flags: Flags, depth: int) -> str:
    if depth:
        return "interface {}(nil)" if flags.sharp_v else "<nil>"
    return _pad("<nil>", flags) if verb in "vT" else f"%!{verb}(<nil>)"


def _mistake(meter: Meter, value: object, verb: str, flags: Flags) -> str:
    shown = _BY_KIND[kind_of(value)](meter, value, "v", flags, 0)
    return f"%!{verb}({type_name(value)}={shown})"


def _bool(_: Meter, value: bool, verb: str, flags: Flags, __: int) -> str | None:
    return _pad("true" if value else "false", flags) if verb in "tv" else None


def _int(_: Meter, value: int, verb: str, flags: Flags, __: int) -> str | None:
    if verb in "vd":
        return _digits(value, "d", flags)
    if verb in _BASES:
        return _digits(value, verb, flags)
    char = chr(value) if 0 <= value <= _MAX_RUNE and not 0xD800 <= value < 0xE000 else "\ufffd"
    match verb:
        case "c":
            return _pad(char, flags)
        case "q":
            return _pad(quote_char(char, ascii_only=flags.plus), flags)
        case "U":
            return _unicode(value, char, flags)
    return None


def _digits(value: int, verb: str, flags: Flags) -> str:
    sign = "-" if value < 0 else "+" if flags.plus else " " if flags.space else ""
    if flags.precision == 0 and value == 0:
        return " " * (flags.width or 0)
    digits = format(abs(value), _BASES.get(verb, "d"))
    if flags.precision is not None:
        digits = digits.rjust(flags.precision, "0")
    elif flags.zero and not flags.minus and flags.width is not None:
        digits = digits.rjust(flags.width - len(sign), "0")
    if flags.sharp and verb in "oO" and not digits.startswith("0"):
        digits = "0" + digits
    if verb == "O":
        digits = "0o" + digits
    elif flags.sharp and verb in "bxX":
        digits = f"0{verb}{digits}"
    return _pad(sign + digits, replace(flags, zero=False))


def _unicode(value: int, char: str, flags: Flags) -> str:
    # a negative number is shown as its 64 bits
    code = format(value & (2**64 - 1), "X").rjust(max(flags.precision or 4, 4), "0")
    shown = f" '{char}'" if flags.sharp and 0 <= value <= _MAX_RUNE and char.isprintable() else ""
    return _pad(f"U+{code}{shown}", replace(flags, zero=False))


def _float(_: Meter, value: float, verb: str, flags: Flags, __: int) -> str | None:
    if verb not in "vbeEfFgGxX":
        return None
    shortest = "g" if verb == "v" else verb
    text = format_float(value, shortest, flags.precision, sharp=flags.sharp)
    if not text.startswith(("-", "+")):
        text = "+" + text
    if text[0] == "+" and not flags.plus:
        text = " " + text[1:] if flags.space else text[1:]
    if "Inf" in text or "NaN" in text:
        return _pad(text, replace(flags, zero=False))
    if flags.zero and not flags.minus and flags.width is not None and text[0] in "+- ":
        return text[0] + text[1:].rjust(flags.width - 1, "0")
    return _pad(text, flags)


def _text(_: Meter, value: str, verb: str, flags: Flags, __: int) -> str | None:
    if verb == "v":
        return _string(value, "q" if flags.sharp_v else "s", flags)
    return _string(value, verb, flags) if verb in _TEXT_VERBS else None


def _string(value: str, verb: str, flags: Flags) -> str:
    match verb:
        case "x" | "X":
            return _pad(_hex(value, verb, flags), flags)
        case "q":
            value = value if flags.precision is None else value[: flags.precision]
            if flags.sharp and _fits_back_quotes(value):
                return _pad(f"`{value}`", flags)
            return _pad(quote(value, ascii_only=flags.plus), flags)
    return _pad_text(value, flags)


def _fits_back_quotes(value: str) -> bool:
    return not any(
        char in "`\x7f\ufeff" or (char < " " and char != "\t") or "\ud800" <= char <= "\udfff"
        for char in value
    )


def _hex(value: str, verb: str, flags: Flags) -> str:
    data = to_bytes(value)[: flags.precision]
    digits = data.hex(" ") if flags.space else data.hex()
    if flags.sharp and data:
        digits = "0x" + (digits.replace(" ", " 0x") if flags.space else digits)
    return digits.upper() if verb == "X" else digits


def _pad_text(value: str, flags: Flags) -> str:
    return _pad(value if flags.precision is None else value[: flags.precision], flags)


def _pad(text: str, flags: Flags) -> str:
    if flags.width is None or len(text) >= flags.width:
        return text
    if flags.minus:
        return text.ljust(flags.width)
    return text.rjust(flags.width, "0" if flags.zero else " ")


def _inner(
    meter: Meter, values: Sequence[object], verb: str, flags: Flags, depth: int
) -> list[str]:
    if depth >= _DEEPEST:
        raise CallError(f"values nest more than {_DEEPEST} deep")
    parts: list[str] = []
    total = 0
    meter.spend(len(values))
    for value in values:
        parts.append(format_value(meter, value, verb, flags, depth + 1))
        total += len(parts[-1]) + 1
        meter.fits(total)
    return parts


def _list(meter: Meter, value: Sequence[object], verb: str, flags: Flags, depth: int) -> str | None:
    parts = _inner(meter, value, verb, flags, depth)
    if flags.sharp_v:
        return f"{type_name(value)}{{{', '.join(parts)}}}"
    return f"[{' '.join(parts)}]"


def _map(meter: Meter, value: dict[str, object], verb: str, flags: Flags, depth: int) -> str | None:
    keys = sorted(value)
    meter.spend(len(keys))
    items = _inner(meter, [value[key] for key in keys], verb, flags, depth)
    names = _inner(meter, keys, verb, flags, depth)
    sharp = flags.sharp_v
    body = (", " if sharp else " ").join(
        f"{key}:{item}" for key, item in zip(names, items, strict=True)
    )
    return f"{type_name(value)}{{{body}}}" if sharp else f"map[{body}]"


def _struct(meter: Meter, value: Struct, verb: str, flags: Flags, depth: int) -> str | None:
    items = _inner(meter, list(value.fields.values()), verb, flags, depth)
    sharp = flags.sharp_v
    if sharp or flags.plus_v:
        items = [f"{name}:{item}" for name, item in zip(value.fields, items, strict=True)]
    return f"{value.type_name}{{{', '.join(items)}}}" if sharp else f"{{{' '.join(items)}}}"


def _unknown(_: Meter, __: object, ___: str, ____: Flags, _____: int) -> str | None:
    return "?"


_BY_KIND: dict[str, Callable[..., str | None]] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "string": _text,
    "list": _list,
    "map": _map,
    "struct": _struct,
    "func": _unknown,
    "unknown": _unknown,
}
