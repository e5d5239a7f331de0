"""Picking several rows of a list, one of which is the first. Facts: CLI spec, section 4.2."""

from __future__ import annotations

from collections.abc import Sequence

from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from puna.term.picker import Row, Shown, bind_moves, show

__all__ = ["pick_several"]

ONE = "Enter: this one first, Tab: choose several"
SEVERAL = "Space: check, Enter: take the checked ones, Tab: choose one"


def pick_several(title: str, rows: Sequence[Row], checked: Sequence[int] = ()) -> list[int] | None:
    """Let the user take rows, those in `checked` being checked and the first of them marked; None
    if they leave.

    Enter puts the marked row before those that are checked. After Tab there are boxes: a blank
    checks a row, which then is the first, or leaves it out, and Enter takes those that are checked.
    """
    shown = _Boxes(title, rows, checked)
    keys = KeyBindings()
    bind_moves(keys, shown, by_typing=True)
    _bind_boxes(keys, shown)
    for key in ("c-c", "c-d", "left"):
        keys.add(key)(_leave)
    keys.add("escape", eager=True)(_leave)
    return shown.taken if show(shown, keys) else None


class _Boxes(Shown):
    """Rows that may be checked; `taken` are those that are, the first one first."""

    def __init__(self, title: str, rows: Sequence[Row], checked: Sequence[int]) -> None:
        super().__init__(title, rows, checked[0] if checked else 0)
        self.taken = list(checked)
        self.hint = ONE

    @property
    def has_boxes(self) -> bool:
        """Whether several are chosen."""
        return self.hint == SEVERAL

    def label(self, number: int) -> str:
        """With its box, and a word on the first one."""
        text = super().label(number)
        if not self.has_boxes:
            return text
        box = "[x]" if number in self.taken else "[ ]"
        return f"{box} {text}" + (" (default)" if self.taken[:1] == [number] else "")

    def put_first(self, number: int) -> None:
        """Take a row, before all others."""
        self.taken = [number, *(one for one in self.taken if one != number)]


def _bind_boxes(keys: KeyBindings, shown: _Boxes) -> None:
    """The keys that check and take."""

    @keys.add("tab")
    def switch(event: KeyPressEvent) -> None:
        shown.hint = ONE if shown.has_boxes else SEVERAL

    @keys.add(" ", filter=Condition(lambda: shown.has_boxes))
    def check(event: KeyPressEvent) -> None:
        if shown.marked in shown.taken:
            shown.taken.remove(shown.marked)
        elif shown.marked is not None:
            shown.put_first(shown.marked)

    @keys.add("enter")
    def take(event: KeyPressEvent) -> None:
        if not shown.has_boxes and shown.marked is not None:
            shown.put_first(shown.marked)
            event.app.exit(result=True)
        elif shown.has_boxes and shown.taken:
            event.app.exit(result=True)


def _leave(event: KeyPressEvent) -> None:
    event.app.exit(result=None)
