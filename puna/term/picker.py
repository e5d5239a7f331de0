"""Picking one row of a list, on a terminal that can move its cursor.

Facts: CLI spec, sections 4.2 and 4.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl

from puna.term.safe import safe_text
from puna.term.screen import make_output

__all__ = ["GREY", "Picked", "Row", "Shown", "bind_moves", "pick", "show"]

SHOWN = 10
GREY = "fg:ansibrightblack"


@dataclass(frozen=True, slots=True)
class Row:
    """What can be picked: a line, what is said beside it while it is marked, and the heading above
    it where another one begins.
    """

    text: str
    remark: str = ""
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Picked:
    """The number of the row that was taken, and whether with the arrow to the right."""

    row: int
    with_arrow: bool = False


def pick(
    title: str, rows: Sequence[Row], at: int = 0, *, by_typing: bool = False, typed: str = ""
) -> Picked | None:
    """Let the user take one of the rows, number `at` being marked; None if they leave.

    With `by_typing` letters choose which rows are shown, beginning with those in `typed`. Without
    it `j` and `k` move, the arrow to the right and `l` take a row in another way, and `q` leaves.
    """
    shown = Shown(title, rows, at)
    if typed:
        shown.type(typed)
    keys = KeyBindings()
    bind_moves(keys, shown, by_typing=by_typing)
    _bind_ends(keys, shown, by_typing=by_typing)
    found = show(shown, keys)
    return found if isinstance(found, Picked) else None


def show(shown: Shown, keys: KeyBindings) -> object:
    """Show a list until a key ends it; its result, None if the terminal is gone."""
    control = FormattedTextControl(shown.lines, focusable=True, show_cursor=False)
    app: Application[object] = Application(
        Layout(Window(control, dont_extend_height=True)),
        key_bindings=keys,
        erase_when_done=True,
        output=make_output(),
    )
    try:
        return app.run()
    except EOFError:
        return None


class Shown:
    """The rows that hold what was typed, and which of them is marked."""

    def __init__(self, title: str, rows: Sequence[Row], at: int) -> None:
        self._title = title
        self._rows = rows
        self.typed = ""
        self.hint = ""
        self._found = list(range(len(rows)))
        self._at = at if 0 <= at < len(rows) else 0

    @property
    def marked(self) -> int | None:
        """The number of the marked row, None where no row is shown."""
        return self._found[self._at] if self._found else None

    def move(self, step: int) -> None:
        """Mark a row further on; it ends at the ends."""
        self._at = max(0, min(len(self._found) - 1, self._at + step))

    def type(self, text: str) -> None:
        """Show the rows that hold this text only."""
        self.typed = text
        wanted = text.casefold()
        self._found = [n for n, row in enumerate(self._rows) if wanted in row.text.casefold()]
        self._at = 0

    def label(self, number: int) -> str:
        """How a row is written."""
        return safe_text(self._rows[number].text)

    def lines(self) -> StyleAndTextTuples:
        """What the terminal shows."""
        first = max(0, min(self._at - SHOWN // 2, len(self._found) - SHOWN))
        lines: StyleAndTextTuples = [("bold", self._title), ("", f" {self.typed}\n\n")]
        heading = ""
        for number in self._found[first : first + SHOWN]:
            row = self._rows[number]
            if row.heading != heading:
                heading = row.heading
                lines.append((GREY, f"  {heading}\n"))
            is_marked = number == self.marked
            text = f"{'>' if is_marked else ' '} {self.label(number)}"
            lines.append(("bold" if is_marked else "", text))
            if is_marked and row.remark:
                lines.append((GREY, f" {safe_text(row.remark)}"))
            lines.append(("", "\n"))
        more = len(self._found) - first - SHOWN
        if more > 0:
            lines.append((GREY, f"  ... and {more} more\n"))
        if not self._found:
            lines.append((GREY, "  (no matches)\n"))
        return lines + ([(GREY, f"\n{self.hint}\n")] if self.hint else [])


def bind_moves(keys: KeyBindings, shown: Shown, *, by_typing: bool) -> None:
    """The keys that mark another row, or show other rows."""
    steps = {"up": -1, "down": 1, "c-p": -1, "c-n": 1, "pageup": -SHOWN, "pagedown": SHOWN}
    if not by_typing:
        steps |= {"k": -1, "j": 1}
    for key, step in steps.items():

        def move(event: KeyPressEvent, step: int = step) -> None:
            shown.move(step)

        keys.add(key)(move)
    if not by_typing:
        return

    @keys.add(Keys.Any)
    def letter(event: KeyPressEvent) -> None:
        if event.data.isprintable():
            shown.type(shown.typed + event.data)

    @keys.add("backspace")
    def back(event: KeyPressEvent) -> None:
        shown.type(shown.typed[:-1])


def _bind_ends(keys: KeyBindings, shown: Shown, *, by_typing: bool) -> None:
    """The keys that take a row, or leave."""

    def take(event: KeyPressEvent) -> None:
        if shown.marked is not None:
            with_arrow = event.key_sequence[0].key in {Keys.Right, "l"}
            event.app.exit(result=Picked(shown.marked, with_arrow))

    def leave(event: KeyPressEvent) -> None:
        event.app.exit(result=None)

    for key in ("enter",) if by_typing else ("enter", " ", "right", "l"):
        keys.add(key)(take)
    for key in ("c-c", "c-d", "left") if by_typing else ("c-c", "c-d", "q"):
        keys.add(key)(leave)
    keys.add("escape", eager=True)(leave)
