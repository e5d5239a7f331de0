"""Go's number literals."""

from __future__ import annotations

import re

from puna.prompt.gotemplate.text import quote, unquote

__all__ = ["parse_character", "parse_number"]

_WHOLE = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*"
    r"|[1-9](?:_?[0-9])*)"
)
_FLOAT = re.compile(
    r"[+-]?(?=[.]?[0-9])(?:[0-9](?:_?[0-9])*)?(?:[.](?:[0-9](?:_?[0-9])*)?)?"
    r"(?:[eE][+-]?[0-9](?:_?[0-9])*)?"
)
_HEX_FLOAT = re.compile(
    r"[+-]?0[xX](?=_?[.]?[0-9a-fA-F])(?:(?:_?[0-9a-fA-F])*)(?:[.](?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?)?"
    r"[pP][+-]?[0-9](?:_?[0-9])*"
)
_LONGEST = 1000


def parse_character(literal: str) -> int:
    """The number of a character constant, quotes included. Raises ValueError."""
    if len(literal) < 3 or (value := unquote(literal)) == "":
        raise ValueError("invalid syntax")
    if len(value) > 1:
        raise ValueError(f"malformed character constant: {literal}")
    return ord(value)


def parse_number(text: str) -> int | float | None:
    """The value of a number, None where a whole number needs 64 bits. Raises ValueError."""
    if len(text) > _LONGEST:
        raise ValueError(f"illegal number syntax: {quote(text[:20])}...")
    if text.endswith("i") and not text.lower().startswith(("0x", "+0x", "-0x")):
        raise ValueError(f"imaginary numbers are not supported: {quote(text)}")
    if _WHOLE.fullmatch(text):
        return _whole(text)
    if not any(char in ".eEpP" for char in text):
        problem = "integer overflow" if _FLOAT.fullmatch(text) else "illegal number syntax"
        raise ValueError(f"{problem}: {quote(text)}")
    try:
        return _float(text)
    except (ValueError, OverflowError):
        raise ValueError(f"illegal number syntax: {quote(text)}") from None


def _whole(text: str) -> int | None:
    digits = text.replace("_", "")
    sign, bare = (digits[0], digits[1:]) if digits[0] in "+-" else ("", digits)
    is_octal = bare[0] == "0" and bare.isdecimal() and len(bare) > 1
    value = int(sign + ("0o" + bare[1:] if is_octal else bare), 0)
    if -(2**63) <= value < 2**63:
        return value
    if 0 < value < 2**64 and not sign:
        return None
    raise ValueError(f"integer overflow: {quote(text)}")


def _float(text: str) -> float:
    if _HEX_FLOAT.fullmatch(text):
        value = float.fromhex(text.replace("_", ""))
    elif _FLOAT.fullmatch(text):
        value = float(text.replace("_", ""))
    else:
        raise ValueError
    if value in (float("inf"), float("-inf")):
        raise OverflowError
    return value
