"""Picking models on a terminal. Facts: CLI spec, section 4.2."""

from __future__ import annotations

from collections.abc import Sequence

from prompt_toolkit.utils import is_dumb_terminal

from puna.launch.ask import Declined
from puna.launch.models import Choice
from puna.launch.process import LaunchError
from puna.term.checklist import pick_several
from puna.term.picker import Row, pick

__all__ = ["TerminalPicker"]


class TerminalPicker:
    """Lists in which letters choose what is shown."""

    def one(self, title: str, choices: Sequence[Choice], current: str) -> str:
        """Pick one model; `current` is marked first. Raises Declined if the user leaves."""
        _ensure_lists()
        picked = pick(title, rows_of(choices), _position(choices, current), by_typing=True)
        if picked is None:
            raise Declined
        return choices[picked.row].name

    def several(self, title: str, choices: Sequence[Choice], checked: Sequence[str]) -> list[str]:
        """Pick models, the one to begin with first; `checked` are those of last time.

        Raises Declined if the user leaves.
        """
        _ensure_lists()
        names = [one.name for one in choices]
        known = [name.removesuffix(":latest") for name in checked]
        positions = [names.index(name) for name in known if name in names]
        picked = pick_several(title, rows_of(choices), positions)
        if picked is None:
            raise Declined
        return [names[position] for position in picked]


def _ensure_lists() -> None:
    if is_dumb_terminal():
        raise LaunchError("this terminal cannot show a list; use --model")


def rows_of(choices: Sequence[Choice]) -> list[Row]:
    """The rows of a list, under two headings."""
    return [
        Row(one.name, one.about, "Recommended" if one.recommended else "More") for one in choices
    ]


def _position(choices: Sequence[Choice], current: str) -> int:
    """Where the model of last time is, however it is tagged; else the beginning."""
    names = [one.name for one in choices]
    if current.removesuffix(":latest") in names:
        return names.index(current.removesuffix(":latest"))
    near = (n for n, name in enumerate(names) if current and name.startswith(f"{current}:"))
    return next(near, 0)
