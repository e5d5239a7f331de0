"""Word wrap for text that arrives in pieces, when its last word may be on the screen already.

Facts: CLI spec, section 1.6. For terminals only: the result contains cursor movements.
"""

from __future__ import annotations

from puna.term.width import char_width, text_width

__all__ = ["Wrapper"]

MARGIN = 5
LONGEST_WORD_MARGIN = 10
NARROWEST = 10
TAB = 8


class Wrapper:
    """Wraps at five columns before the edge of a terminal of `columns`; off below ten columns."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._limit = columns - MARGIN
        self._used = 0
        self._word = ""

    def feed(self, text: str) -> str:
        """What to write for the next piece of text."""
        if self._columns < NARROWEST:
            return text
        return "".join(self._put(char) for char in text)

    def _put(self, char: str) -> str:
        if char == "\n":
            self._used, self._word = 0, ""
            return char
        width = TAB - self._used % TAB if char == "\t" else char_width(char)
        if self._used + width <= self._limit:
            return self._place(char, width)
        if char in " \t":
            self._used, self._word = 0, ""
            return "\n"
        columns = text_width(self._word)
        if columns > self._columns - LONGEST_WORD_MARGIN:
            # A long word (an address, say) flows on over the edge, so that it can be copied whole.
            self._used = (self._used + width) % self._columns
            self._word += char
            return char
        moved, self._word, self._used = self._word, "", 0
        back = f"\x1b[{columns}D" if columns else ""
        placed = "".join(self._place(letter, char_width(letter)) for letter in moved + char)
        return f"{back}\x1b[K\n{placed}"

    def _place(self, char: str, width: int) -> str:
        self._used += width
        # Wide scripts may be broken after any character.
        self._word = "" if char in " \t" or width > 1 else self._word + char
        return char
