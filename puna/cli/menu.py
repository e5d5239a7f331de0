"""The menu of `puna` alone: what to do, and with which model. Facts: CLI spec, section 4.3."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import click
from prompt_toolkit.utils import is_dumb_terminal

from puna import __version__
from puna.client.client import Client
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import PunaError
from puna.fmt import human_bytes
from puna.launch.integration import Integration
from puna.launch.place import Place, make_place
from puna.launch.registry import ORDER, find_integration
from puna.launch.saved import Choices
from puna.term.picker import Row, pick

__all__ = ["can_be_shown", "run_menu"]

OWN_MODEL = "cria"
"""It comes with Puna, and is there as soon as somebody runs it."""
FIRST = ("claude", "opencode", "hermes", "openclaw")
"""The programs that are shown at once; the others come after `More...`."""
LEAVING = ("chatgpt", "vscode")
"""They have windows of their own: the menu ends when they are launched."""

Start = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do: its text, the command with its flags, whether a model's name comes behind
    them, and what this model must be able to do; or a program to launch.
    """

    key: str
    text: str
    command: tuple[str, ...] = ()
    needs_model: bool = False
    capability: str = ""
    program: Integration | None = None


MORE = Item("more", "More...")


def can_be_shown() -> bool:
    """Whether the terminal can move its cursor."""
    return not is_dumb_terminal()


def run_menu(start: Start, flags: Sequence[str]) -> None:
    """Show the menu until the user leaves. `start` runs the words of a command, whose errors are
    told here; `flags` are for `run`.

    Raises Unreachable if there is no server and none can be started, and BadRequest if the file of
    last choices is damaged.
    """
    settings = read_settings()
    place = make_place(settings)
    with connect(settings) as client:
        marked = Choices.read(place).last_selection
        shows_all = marked in ORDER and marked not in FIRST
        while True:
            choices = Choices.read(place)
            items = make_items(flags, place, shows_all=shows_all)
            rows = [Row(item.text, remark_of(item, choices, place)) for item in items]
            at = next((n for n, item in enumerate(items) if item.key == marked), 0)
            picked = pick(f"Puna {__version__}", rows, at)
            if picked is None:
                return
            item = items[picked.row]
            marked = item.key
            if item is MORE:
                shows_all = True
                marked = make_items(flags, place, shows_all=True)[picked.row].key
                continue
            with telling_errors():
                carry_out(start, client, choices, item, ask=picked.with_arrow)
            if item.key in LEAVING:
                return


def make_items(flags: Sequence[str], place: Place, *, shows_all: bool) -> list[Item]:
    """What there is to do."""
    programs = [name for name in ORDER if find_integration(name).is_for(place.system)]
    first = [name for name in FIRST if name in programs]
    rest = [name for name in programs if name not in first]
    return [
        Item("run", "Chat with a model", ("run", *flags), needs_model=True),
        Item(
            "agent",
            "Let a model work in this folder",
            ("run", "--agent", *flags),
            needs_model=True,
            capability="tools",
        ),
        *map(launching, [*first, *rest] if shows_all else first),
        *([] if shows_all or not rest else [MORE]),
        Item("list", "List the models", ("list",)),
        Item("help", "Show all commands", ("help",)),
    ]


def launching(name: str) -> Item:
    """The item of a program."""
    program = find_integration(name)
    return Item(name, f"Launch {program.title}", ("launch", name), program=program)


def remark_of(item: Item, choices: Choices, place: Place) -> str:
    """What stands beside the marked row: the model of last time, or that a program is missing."""
    if item.program is not None:
        if item.program.find(place) is None:
            return "(install)" if item.program.installer else "(not installed)"
        models = choices.of(item.program).models
        return f"({models[0]})" if models else ""
    return f"({choices.last_model})" if item.needs_model and choices.last_model else ""


def carry_out(start: Start, client: Client, choices: Choices, item: Item, *, ask: bool) -> None:
    """Do one thing, with the model of last time unless it cannot do it or `ask` is set."""
    words = list(item.command)
    model = ""
    if item.needs_model:
        model = choices.last_model
        if ask or not is_usable(client, model, item.capability):
            model = choose_model(client, model)
        if not model:
            return
        words.append(model)
    elif item.program is not None and not ask:
        last = choices.of(item.program).models
        if last and is_usable(client, last[0], ""):
            words += ["--model", last[0]]
    with suppress(OSError):  # then it is not remembered
        choices.save_last(model=model, selection=item.key)
    start(words)


def is_usable(client: Client, model: str, capability: str) -> bool:
    """Whether a model is there, and has the capability, if any."""
    if not model:
        return False
    try:
        found = client.show(model).capabilities
    except PunaError:
        return False
    return not capability or capability in found


def choose_model(client: Client, last: str) -> str:
    """The model that the user takes, "" for none; `last` is marked."""
    sizes = {
        row.name.removesuffix(":latest"): "" if row.remote else human_bytes(row.size)
        for row in client.models()
    }
    sizes.setdefault(OWN_MODEL, "comes with Puna")
    names = list(sizes)
    at = names.index(last) if last in sizes else 0
    picked = pick("Model:", [Row(name, sizes[name]) for name in names], at, by_typing=True)
    return names[picked.row] if picked else ""


@contextmanager
def telling_errors() -> Iterator[None]:
    """Go back to the menu after an error, which is told, and after Ctrl+C."""
    try:
        yield
    except (PunaError, OSError, UnicodeError) as error:
        print(f"Error: {error}", file=sys.stderr)
    except (KeyboardInterrupt, click.exceptions.Exit):
        pass
    sys.stdout.flush()
