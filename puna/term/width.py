"""How many columns a text takes on a terminal."""

from __future__ import annotations

import unicodedata

__all__ = ["char_width", "cut_text", "text_width"]

_ZERO_WIDTH = {"Mn", "Me", "Cf", "Cc"}


def char_width(char: str) -> int:
    """Columns of one character: 2 for wide ones, 0 for those that join the one before."""
    if " " <= char <= "~":
        return 1
    if unicodedata.category(char) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def text_width(text: str) -> int:
    """Columns of a text without newlines."""
    return len(text) if text.isascii() else sum(map(char_width, text))


def cut_text(text: str, columns: int) -> str:
    """As much of a text without newlines as fits into so many columns."""
    if text_width(text) <= columns:
        return text
    used = 0
    for end, char in enumerate(text):
        used += char_width(char)
        if used > columns:
            return text[:end]
    return text
