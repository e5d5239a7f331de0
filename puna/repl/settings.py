"""`/set`: what can be changed about a session, as a table of rows. Facts: CLI spec, section 2.2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from puna.errors import BadRequest, quoted
from puna.models.parameters import LISTS, parameter_value
from puna.repl import texts
from puna.repl.history import History
from puna.repl.session import Session, Think

__all__ = ["SETTINGS", "set_something"]

BAD_FORMAT = "Invalid or missing format. For 'json' mode use '/set format json'"


def set_something(session: Session, history: History, line: str) -> None:
    """Run a `/set …` line."""
    words = line.split()
    if len(words) == 1:
        print(texts.SET, file=sys.stderr)
        return
    function = SETTINGS.get(words[1])
    if function is None:
        print(f"Unknown command '/set {words[1]}'. Type /? for help")
        return
    function(session, history, words[2:])


def save_history(session: Session, history: History, words: Sequence[str]) -> None:
    history.saving = True


def drop_history(session: Session, history: History, words: Sequence[str]) -> None:
    history.saving = False


def wrap(session: Session, history: History, words: Sequence[str]) -> None:
    session.restyle(wrap=True)
    print("Set 'wordwrap' mode.")


def no_wrap(session: Session, history: History, words: Sequence[str]) -> None:
    session.restyle(wrap=False)
    print("Set 'nowordwrap' mode.")


def verbose(session: Session, history: History, words: Sequence[str]) -> None:
    session.restyle(verbose=True)
    print("Set 'verbose' mode.")


def quiet(session: Session, history: History, words: Sequence[str]) -> None:
    session.restyle(verbose=False)
    print("Set 'quiet' mode.")


def format_(session: Session, history: History, words: Sequence[str]) -> None:
    if list(words) != ["json"]:
        print(BAD_FORMAT)
        return
    session.format = "json"
    print("Set format to 'json' mode.")


def no_format(session: Session, history: History, words: Sequence[str]) -> None:
    session.format = None
    print("Disabled format.")


def think(session: Session, history: History, words: Sequence[str]) -> None:
    level = words[0] if words else ""
    _set_think(session, level or True)
    print(f"Set 'think' mode to '{level}'." if level else "Set 'think' mode.")


def no_think(session: Session, history: History, words: Sequence[str]) -> None:
    _set_think(session, False)
    print("Set 'nothink' mode.")


def _set_think(session: Session, value: Think) -> None:
    session.think, session.is_think_chosen = value, True
    if not session.can_think:
        warning = f"warning: model {quoted(session.model)} does not support thinking output"
        print(warning, file=sys.stderr)


def parameter(session: Session, history: History, words: Sequence[str]) -> None:
    if len(words) < 2:
        print(texts.PARAMETERS, file=sys.stderr)
        return
    name, *values = words
    try:
        value = parameter_value(name, values[0])
    except BadRequest as error:
        print(f"Couldn't set parameter: {quoted(str(error))}")
        return
    session.options[name] = values if name in LISTS else value
    print(f"Set parameter '{name}' to '{', '.join(values)}'")


def system(session: Session, history: History, words: Sequence[str]) -> None:
    if not words:
        print(texts.SET, file=sys.stderr)
        return
    session.set_system(" ".join(words))
    print("Set system message.")


SETTINGS: dict[str, Callable[[Session, History, Sequence[str]], None]] = {
    "history": save_history,
    "nohistory": drop_history,
    "wordwrap": wrap,
    "nowordwrap": no_wrap,
    "verbose": verbose,
    "quiet": quiet,
    "format": format_,
    "noformat": no_format,
    "think": think,
    "nothink": no_think,
    "parameter": parameter,
    "system": system,
}
