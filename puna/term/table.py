"""Tables as `list`, `ps` and `show` print them: left aligned, no rules, four spaces after a cell.

Facts: CLI spec, section 1.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from puna.term.width import text_width

__all__ = ["make_table", "wrap_words"]

GAP = "    "
WRAP_COLUMNS = 30


def make_table(
    rows: Iterable[Sequence[str]], header: Sequence[str] = (), columns: int = WRAP_COLUMNS
) -> str:
    """Lay out rows of cells. Cells with spaces are wrapped at `columns`.

    Rows may be shorter than others. Control characters are left out.
    """
    cells = [[wrap_words(_clean(cell), columns) for cell in row] for row in rows]
    heads = [[name] for name in header]
    widths = [
        max(text_width(line) for cell in column for line in cell)
        for column in zip_longest(*([heads] if heads else []), *cells, fillvalue=[""])
    ]
    lines = []
    if heads:
        head = GAP.join(_padded(name, width) for name, width in zip(header, widths, strict=False))
        lines.append(head + " ")
    for row in cells:
        for parts in zip_longest(*row, fillvalue=""):
            pairs = zip(parts, widths, strict=False)
            lines.append("".join(_padded(part, width) + GAP for part, width in pairs))
    return "".join(line + "\n" for line in lines)


def _clean(text: str) -> str:
    """The text on one line; other control characters could steer the terminal."""
    return "".join(char for char in text.replace("\n", " ") if char.isprintable())


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - text_width(text))


def wrap_words(text: str, columns: int) -> list[str]:
    """Break a text at its spaces into lines of at most `columns`, as even as can be.

    Lines grow to the longest word if that is longer. Unevenness is the sum of the squares of what
    lines leave free, the last line not counted.
    """
    words = text.split(" ")
    if text_width(text) <= columns or len(words) == 1:
        return [text]
    widths = [text_width(word) for word in words]
    limit = max(columns, *widths)
    best = [(0, len(words))] * len(words)  # from each word on: unevenness, and where to break
    for first in reversed(range(len(words))):
        used, choices = -1, []
        for last in range(first, len(words)):
            used += 1 + widths[last]
            if used > limit:
                break
            if last == len(words) - 1:
                choices = [(0, len(words))]
            else:
                choices.append(((limit - used) ** 2 + best[last + 1][0], last + 1))
        best[first] = min(choices)
    lines, start = [], 0
    while start < len(words):
        end = best[start][1]
        lines.append(" ".join(words[start:end]))
        start = end
    return lines
