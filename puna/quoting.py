"""Texts in double quotes, as messages show them."""

from __future__ import annotations

__all__ = ["quoted"]

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def quoted(text: str) -> str:
    r"""Write `text` in double quotes with backslash escapes, as Go's %q does."""
    out = ['"']
    for char in text:
        match char:
            case _ if char in _ESCAPES:
                out.append(_ESCAPES[char])
            case _ if char.isprintable():
                out.append(char)
            case _ if ord(char) < 0x80:
                out.append(f"\\x{ord(char):02x}")
            case _ if ord(char) <= 0xFFFF:
                out.append(f"\\u{ord(char):04x}")
            case _:
                out.append(f"\\U{ord(char):08x}")
    out.append('"')
    return "".join(out)
