"""The slash commands of the prompt, as a table of rows. Facts: CLI spec, section 2.2."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from puna.errors import ClientError, InvalidName
from puna.models.name import Name
from puna.models.parameters import NAMES
from puna.repl import texts
from puna.repl.complete import PromptCompleter
from puna.repl.editor import edit
from puna.repl.files import takes_files
from puna.repl.history import History
from puna.repl.session import Session
from puna.repl.settings import SETTINGS, set_something
from puna.repl.views import VIEWS, show_something
from puna.term.listing import models_table

__all__ = ["COMMANDS", "Leave", "Prompt", "make_completer", "run_command"]


class Leave(Exception):
    """The user wants to go."""


@dataclass(slots=True)
class Prompt:
    """What a command may work on; `draft` is what the next entry begins with."""

    session: Session
    history: History
    editor: str
    draft: str = ""


def run_command(line: str, prompt: Prompt) -> None:
    """Run the command of a line. Raises Leave, or ClientError if the session broke."""
    for name, function in COMMANDS.items():
        if line.startswith(name):
            function(prompt, line)
            return
    print(f"Unknown command '{line.split()[0]}'. Type /? for help")


def list_models(prompt: Prompt, line: str) -> None:
    words = line.split()
    rows = prompt.session.client.models()
    sys.stdout.write(models_table(rows, words[1] if len(words) > 1 else "", datetime.now(UTC)))


def load(prompt: Prompt, line: str) -> None:
    words = line.split()
    if len(words) != 2:
        print("Usage:\n  /load <modelname>")
        return
    print(f"Loading model '{words[1]}'")
    try:
        prompt.session.switch(words[1])
    except ClientError as error:
        if "not found" in str(error):
            print(f"Couldn't find model '{words[1]}'")
        elif "does not support thinking" in str(error):
            print(f"error: {error}")
        else:
            raise


def save(prompt: Prompt, line: str) -> None:
    words = line.split()
    if len(words) != 2:
        print("Usage:\n  /save <modelname>")
        return
    try:
        Name.parse(words[1])
        prompt.session.save(words[1])
    except InvalidName:
        print(f"error: The model name '{words[1]}' is invalid")
    except ClientError as error:
        if "invalid model name" not in str(error):
            raise
        print(f"error: The model name '{words[1]}' is invalid")
    else:
        print(f"Created new model '{words[1]}'")


def clear(prompt: Prompt, line: str) -> None:
    prompt.session.clear()
    print("Cleared session context")


def set_(prompt: Prompt, line: str) -> None:
    set_something(prompt.session, prompt.history, line)


def show(prompt: Prompt, line: str) -> None:
    show_something(prompt.session, line)


def help_(prompt: Prompt, line: str) -> None:
    topics = {
        "set": texts.SET,
        "/set": texts.SET,
        "show": texts.SHOW,
        "/show": texts.SHOW,
        "shortcut": texts.SHORTCUTS,
        "shortcuts": texts.SHORTCUTS,
    }
    words = line.split()
    text = texts.GENERAL if len(words) == 1 else topics.get(words[1], "")
    if len(words) == 1 and takes_files(prompt.session.info):
        text += texts.FILES
    if text:
        print(text, file=sys.stderr)


def edit_message(prompt: Prompt, line: str) -> None:
    prompt.draft = edit(line.removeprefix("/edit").strip(), prompt.editor)


def leave(prompt: Prompt, line: str) -> None:
    raise Leave


COMMANDS: dict[str, Callable[[Prompt, str], None]] = {
    "/list": list_models,
    "/load": load,
    "/save": save,
    "/clear": clear,
    "/set": set_,
    "/edit": edit_message,
    "/show": show,
    "/help": help_,
    "/?": help_,
    "/exit": leave,
    "/bye": leave,
}
"""What a line starts with, and what it does; the first row that fits is run."""


def make_completer(session: Session) -> PromptCompleter:
    """What Tab completes, by the tables of commands, settings and views."""
    help_topics = ("set", "show", "shortcuts")
    return PromptCompleter(
        lambda: COMMANDS,
        {
            "/set": tuple(SETTINGS),
            "/set format": ("json",),
            "/set parameter": tuple(NAMES),
            "/set think": ("high", "medium", "low", "max"),
            "/show": tuple(VIEWS),
            "/?": help_topics,
            "/help": help_topics,
        },
        ("/load", "/save", "/list"),
        lambda: [each.name for each in session.client.models()],
    )
