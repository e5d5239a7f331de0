"""Go's strings in Python's: lengths and slices in bytes, quoting and unquoting.

A Go string is any bytes. Bytes that are not UTF-8 are kept as lone surrogates ("surrogateescape")
until the output is complete, where they become U+FFFD.
"""

from __future__ import annotations

import re

__all__ = [
    "cut",
    "from_bytes",
    "is_printable",
    "quote",
    "quote_char",
    "size",
    "to_bytes",
    "unquote",
]

REPLACEMENT = "\ufffd"
_ODD = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # surrogates that stand for no byte

_LETTERS = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\",
}  # fmt: skip
_NAMES = {value: f"\\{key}" for key, value in _LETTERS.items()}
_DIGITS = {"x": 2, "u": 4, "U": 8}
_ESCAPE = re.compile(
    r"\\(?:(?P<letter>[abfnrtv\\'\"])|(?P<octal>[0-7]{3})"
    r"|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8}))"
)


def to_bytes(text: str) -> bytes:
    """The bytes of a Go string."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _ODD.sub(REPLACEMENT, text).encode("utf-8", "surrogateescape")


def from_bytes(data: bytes) -> str:
    """The Go string with these bytes."""
    return data.decode("utf-8", "surrogateescape")


def size(text: str) -> int:
    """The length of a string, in bytes."""
    return len(text) if text.isascii() else len(to_bytes(text))


def cut(text: str, start: int, end: int) -> str:
    """The bytes from `start` to `end`."""
    return text[start:end] if text.isascii() else from_bytes(to_bytes(text)[start:end])


def is_printable(char: str) -> bool:
    """Whether Go prints this character as it is: letters, marks, numbers, signs, the space."""
    return char.isprintable()


def quote(text: str, *, ascii_only: bool = False) -> str:
    """The string as a Go literal in double quotes."""
    return '"' + "".join(_escaped(char, '"', ascii_only) for char in text) + '"'


def quote_char(char: str, *, ascii_only: bool = False) -> str:
    """The character as a Go literal in single quotes."""
    return f"'{_escaped(char, chr(39), ascii_only)}'"


def _escaped(char: str, mark: str, ascii_only: bool) -> str:
    code = ord(char)
    if char == mark:
        return "\\" + char
    if char in _NAMES:
        return _NAMES[char]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return "\\ufffd"
    if is_printable(char) and (code < 0x80 or not ascii_only):
        return char
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unquote(literal: str) -> str:
    """The value of a literal in double, single or back quotes. Raises ValueError."""
    mark, body = literal[0], literal[1:-1]
    if mark == "`":
        return body.replace("\r", "")
    pieces: list[bytes] = []
    at = 0
    while at < len(body):
        stop = body.find("\\", at)
        if stop < 0:
            stop = len(body)
        plain = body[at:stop]
        if mark in plain or "\n" in plain:
            raise ValueError("invalid syntax")
        pieces.append(to_bytes(plain))
        at = stop
        if stop < len(body):
            found = _ESCAPE.match(body, stop)
            if found is None:
                raise ValueError("invalid syntax")
            pieces.append(_unescaped(found, mark))
            at = found.end()
    return from_bytes(b"".join(pieces))


def _unescaped(found: re.Match[str], mark: str) -> bytes:
    letter, octal, byte = found["letter"], found["octal"], found["x"]
    if letter is not None:
        if letter in "'\"" and letter != mark:
            raise ValueError("invalid syntax")
        return _LETTERS.get(letter, letter).encode()
    code = int(octal, 8) if octal else int(byte or found["u"] or found["U"], 16)
    if octal or byte:
        if code > 0xFF:
            raise ValueError("invalid syntax")
        # a character constant is the number itself, a string has the byte
        return bytes([code]) if mark == '"' else chr(code).encode()
    if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
        raise ValueError("invalid syntax")
    return chr(code).encode()
