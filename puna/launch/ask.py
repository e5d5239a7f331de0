"""Asking the user yes or no, and what happens where nobody can be asked.

Facts: CLI spec, sections 4.1 and 4.2.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from puna.launch.process import LaunchError
from puna.term.safe import safe_text

__all__ = ["Declined", "TerminalConsole"]


class Declined(Exception):
    """The user does not want to go on: nothing more is to be said."""


@dataclass(frozen=True, slots=True)
class TerminalConsole:
    """Questions and remarks on standard error."""

    is_terminal: bool
    answers_yes: bool

    def ask(self, question: str, *, yes: str = "", no: str = "", default: bool = True) -> bool:
        """Ask yes or no; `yes` and `no` name the answers. Raises LaunchError where nobody can be
        asked.
        """
        if self.answers_yes:
            return True
        if not self.is_terminal:
            raise LaunchError(f"{question} requires confirmation; re-run with --yes to continue")
        named = ", ".join(f"{key} = {text}" for key, text in (("y", yes), ("n", no)) if text)
        print(f"{safe_text(question)} ({named or 'y/n'}) ", end="", file=sys.stderr, flush=True)
        answer = _read_answer(default=default)
        print("yes" if answer else "no", file=sys.stderr)
        return answer

    def say(self, text: str) -> None:
        """Tell the user something."""
        print(safe_text(text), file=sys.stderr, flush=True)


def _read_answer(*, default: bool) -> bool:
    while True:
        try:
            key = click.getchar()
        except (KeyboardInterrupt, EOFError):
            return False
        if key in {"y", "Y"}:
            return True
        if key in {"n", "N", "\x1b", ""}:
            return False
        if key in {"\r", "\n"}:
            return default
