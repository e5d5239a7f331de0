"""Floating-point numbers as Go writes them."""

from __future__ import annotations

import math

__all__ = ["format_float"]

_MOST_DIGITS = 1100  # a float64 has no more that are not zero


def format_float(
    value: float, verb: str, precision: int | None = None, *, sharp: bool = False
) -> str:
    """The number by one of the verbs b e E f F g G x X, without flags of width and sign.

    Without a precision, e and f write 6 digits, the others as few as say which number it is.
    `sharp` keeps the point and, for g, the zeros.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    match verb:
        case "b":
            return _binary(value)
        case "x" | "X":
            text = _hexadecimal(value, precision)
            text = _sharp_hexadecimal(text, verb, precision) if sharp else text
        case "g" | "G" if precision is None:
            text = _shortest(value, sharp)
        case _:
            text = _precise(value, verb.lower(), 6 if precision is None else precision, sharp)
    return text.upper() if verb in "EGX" else text


def _precise(value: float, verb: str, precision: int, sharp: bool) -> str:
    text = format(value, f"{'#' * sharp}.{min(precision, _MOST_DIGITS)}{verb}")
    if precision <= _MOST_DIGITS or (verb == "g" and not sharp):
        return text
    mantissa, mark, exponent = text.partition("e")
    return mantissa + "0" * (precision - _MOST_DIGITS) + mark + exponent


def _shortest(value: float, sharp: bool) -> str:
    sign, digits, exponent = _decimal(value)
    if sharp:
        digits = digits.ljust(6, "0")
    if -4 <= exponent < 6:
        text = sign + _placed(digits, exponent)
        return text + "." if sharp and "." not in text else text
    point = "." if sharp or len(digits) > 1 else ""
    mark = "-" if exponent < 0 else "+"
    return f"{sign}{digits[0]}{point}{digits[1:]}e{mark}{abs(exponent):02d}"


def _decimal(value: float) -> tuple[str, str, int]:
    """Sign, digits and the exponent of the first digit: `-`, `123`, 0 is -1.23."""
    text = repr(value)
    sign = "-" if text.startswith("-") else ""
    digits, _, shown = text.removeprefix("-").partition("e")
    whole, _, fraction = digits.partition(".")
    exponent = int(shown or 0) + len(whole) - 1
    bare = (whole + fraction).lstrip("0")
    if not bare:
        return sign, "0", 0
    return sign, bare.rstrip("0"), exponent - (len(whole + fraction) - len(bare))


def _placed(digits: str, exponent: int) -> str:
    if exponent < 0:
        return f"0.{'0' * (-exponent - 1)}{digits}"
    if len(digits) <= exponent + 1:
        return digits + "0" * (exponent + 1 - len(digits))
    return f"{digits[: exponent + 1]}.{digits[exponent + 1 :]}"


def _parts(value: float) -> tuple[str, int, int]:
    """Sign, and whole numbers m and e with value = m * 2**e."""
    mantissa, exponent = math.frexp(abs(value))
    sign = "-" if math.copysign(1, value) < 0 else ""
    whole, power = int(mantissa * 2**53), exponent - 53
    if power < -1074:  # a subnormal number has fewer bits
        whole, power = whole >> (-1074 - power), -1074
    return sign, whole, power


def _binary(value: float) -> str:
    sign, whole, power = _parts(value) if value else (*_parts(value)[:2], -1074)
    return f"{sign}{whole}p{power:+d}"


def _hexadecimal(value: float, precision: int | None) -> str:
    sign, whole, power = _parts(value)
    if not whole:
        fraction = "." + "0" * precision if precision else ""
        return f"{sign}0x0{fraction}p+00"
    shift = 53 - whole.bit_length()
    whole, power = whole << shift, power - shift + 52  # one bit before the point, 52 behind it
    if precision is not None and precision < 13:
        drop = 4 * (13 - precision)
        rest, whole = whole & ((1 << drop) - 1), whole >> drop
        half = 1 << (drop - 1)
        whole = (whole + (rest > half or (rest == half and whole & 1 == 1))) << drop
        if whole >> 53:
            whole, power = whole >> 1, power + 1
    digits = f"{whole & ((1 << 52) - 1):013x}"
    digits = digits.rstrip("0") if precision is None else digits[:precision].ljust(precision, "0")
    mark = "-" if power < 0 else "+"
    return f"{sign}0x1{'.' + digits if digits else ''}p{mark}{abs(power):02d}"


def _sharp_hexadecimal(text: str, verb: str, precision: int | None) -> str:
    """With a point, and for x with zeros as if it were g: Go counts the x as a digit."""
    mantissa, _, exponent = text.partition("p")
    if "." not in mantissa:
        mantissa += "."
    if verb == "x":
        start = mantissa.index("x")
        digits = 6 if precision is None else precision
        mantissa = mantissa.ljust(start + digits + 1, "0")
    return f"{mantissa}p{exponent}"
