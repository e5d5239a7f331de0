"""Go's printf: a format, its arguments, and the marks it leaves where they do not fit."""

from __future__ import annotations

from collections.abc import Sequence

from puna.prompt.gotemplate.formatting import Flags, format_value
from puna.prompt.gotemplate.limits import Meter
from puna.prompt.gotemplate.values import kind_of, type_name

__all__ = ["sprint", "sprintf", "sprintln"]

_LARGE = 1_000_000
_FLAGS = {"+": "plus", "-": "minus", "#": "sharp", " ": "space", "0": "zero"}


def sprint(meter: Meter, *args: object) -> str:
    """The values one after another, with a space between two that are no texts."""
    parts: list[str] = []
    for at, value in enumerate(args):
        if at and not isinstance(value, str) and not isinstance(args[at - 1], str):
            parts.append(" ")
        parts.append(format_value(meter, value, "v", Flags()))
    return _joined(meter, parts)


def sprintln(meter: Meter, *args: object) -> str:
    """The values with spaces between them and a line feed."""
    parts = [format_value(meter, value, "v", Flags()) for value in args]
    return _joined(meter, [" ".join(parts), "\n"])


def _joined(meter: Meter, parts: Sequence[str]) -> str:
    meter.fits(sum(map(len, parts)))
    return "".join(parts)


def sprintf(meter: Meter, pattern: str, *args: object) -> str:
    """The format with its arguments in."""
    return _Printer(meter, pattern, args).run()


class _Printer:
    def __init__(self, meter: Meter, pattern: str, args: Sequence[object]) -> None:
        self._meter = meter
        self._pattern = pattern
        self._args = args
        self._at = 0
        self._next = 0  # the argument to come
        self._good = True  # whether the last `[n]` made sense
        self._was_reordered = False
        self._parts: list[str] = []
        self._size = 0

    def run(self) -> str:
        while self._at < len(self._pattern):
            stop = self._pattern.find("%", self._at)
            if stop < 0:
                stop = len(self._pattern)
            self._write(self._pattern[self._at : stop])
            self._at = stop + 1
            if stop < len(self._pattern):
                self._meter.spend(1)
                self._verb()
        if not self._was_reordered and self._next < len(self._args):
            self._extra()
        return "".join(self._parts)

    def _write(self, text: str) -> None:
        self._size += len(text)
        self._meter.fits(self._size)
        self._parts.append(text)

    def _extra(self) -> None:
        shown = []
        for value in self._args[self._next :]:
            text = format_value(self._meter, value, "v", Flags())
            shown.append(text if value is None else f"{type_name(value)}={text}")
        self._write(f"%!(EXTRA {', '.join(shown)})")

    def _char(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _verb(self) -> None:
        self._good = True
        found: dict[str, bool] = {}
        while self._char() and self._char() in _FLAGS:
            found[_FLAGS[self._char()]] = True
            self._at += 1
        after_index = self._index()
        width, after_index = self._width(after_index)
        precision, after_index = self._precision(after_index)
        if not after_index:
            self._index()
        verb = self._char()
        self._at += 1
        if not verb:
            self._write("%!(NOVERB)")
        elif verb == "%":
            self._write("%")
        elif not self._good:
            self._write(f"%!{verb}(BADINDEX)")
        elif self._next >= len(self._args):
            self._write(f"%!{verb}(MISSING)")
        else:
            flags = _flags(found, verb, width, precision)
            self._next += 1
            value = self._args[self._next - 1]
            self._write(format_value(self._meter, value, verb, flags))

    def _width(self, after_index: bool) -> tuple[int | None, bool]:
        """The width, and whether an index before it is still without use."""
        if self._char() != "*":
            width = self._number()
            if after_index and width is not None:
                self._good = False  # "%[3]2d"
            return width, after_index
        width = self._star()
        if width is None:
            self._write("%!(BADWIDTH)")
        return width, False

    def _precision(self, after_index: bool) -> tuple[int | None, bool]:
        if self._char() != "." or self._at + 1 >= len(self._pattern):
            return None, after_index
        self._at += 1
        if after_index:
            self._good = False  # "%[3].2d"
        after_index = self._index()
        if self._char() != "*":
            return self._number() or 0, after_index
        precision = self._star()
        if precision is None or precision < 0:
            self._write("%!(BADPREC)")
            return None, False
        return precision, False

    def _star(self) -> int | None:
        """A width or a precision that is an argument."""
        self._at += 1
        if self._next >= len(self._args):
            return None
        self._next += 1
        value = self._args[self._next - 1]
        if kind_of(value) != "int" or not isinstance(value, int) or abs(value) > _LARGE:
            return None
        return value

    def _number(self) -> int | None:
        number = None
        while "0" <= self._char() <= "9":
            if number is not None and number > _LARGE:
                self._at = len(self._pattern)  # as Go, which gives up on the format
                return None
            number = 10 * (number or 0) + int(self._char())
            self._at += 1
        return number

    def _index(self) -> bool:
        """Read `[n]`, which says which argument comes next; whether there was one."""
        if self._char() != "[":
            return False
        self._was_reordered = True
        end = self._pattern.find("]", self._at)
        if end < 0:
            self._good = False
            self._at += 1
            return False
        digits = self._pattern[self._at + 1 : end]
        self._at = end + 1
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 8):
            self._good = False
            return False
        if 1 <= int(digits) <= len(self._args):
            self._next = int(digits) - 1
        else:
            self._good = False
        return True


def _flags(found: dict[str, bool], verb: str, width: int | None, precision: int | None) -> Flags:
    if width is not None and width < 0:
        width, found["minus"] = -width, True
    if found.get("minus"):
        found["zero"] = False  # zeros behind a number would change it
    if verb in "vw":
        found["sharp_v"], found["sharp"] = found.get("sharp", False), False
        found["plus_v"], found["plus"] = found.get("plus", False), False
    return Flags(**found, width=width, precision=precision)
