"""A terminal in a few lines: what a person would see after some output."""

from __future__ import annotations

import re

from puna.term.width import char_width

_TOKEN = re.compile(r"\x1b\[(\??)(\d*)([A-Za-z])|(.)", re.DOTALL)


def seen(output: str, columns: int) -> list[str]:
    """The lines on a screen of `columns` after `output`; knows the codes that we emit."""
    rows: list[list[str]] = [[]]
    y = x = 0
    for private, number, code, char in _TOKEN.findall(output):
        if char == "\n":
            y, x = y + 1, 0
        elif char:
            width = char_width(char)
            if x + width > columns:
                y, x = y + 1, 0
            while len(rows) <= y:
                rows.append([])
            rows[y] += [" "] * (x - len(rows[y]))
            rows[y][x : x + width] = [char] + [""] * (width - 1)
            x += width
        elif not private:
            count = int(number or 1)
            match code:
                case "D":
                    x = max(0, x - count)
                case "A":
                    y = max(0, y - count)
                case "G":
                    x = count - 1
                case "K":
                    del rows[y][x:]
                case "J":
                    del rows[y][x:], rows[y + 1 :]
        while len(rows) <= y:
            rows.append([])
    return ["".join(row) for row in rows]
