"""The menu of `puna` alone: what to do, and with which model. Facts: CLI spec, section 4.3."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import click
from prompt_toolkit.utils import is_dumb_terminal

from puna import __version__
from puna.client.client import Client
from puna.client.replies import as_object, as_text
from puna.client.start import connect
from puna.config import Settings, read_settings
from puna.errors import PunaError
from puna.fmt import human_bytes
from puna.term.picker import Row, pick

__all__ = ["can_be_shown", "run_menu"]

OWN_MODEL = "cria"
"""It comes with Puna, and is there as soon as somebody runs it."""
MAX_STATE = 1024 * 1024

Start = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do: its text, the command with its flags, whether a model's name comes behind
    them, and what this model must be able to do.
    """

    key: str
    text: str
    command: tuple[str, ...]
    needs_model: bool = True
    capability: str = ""


@dataclass(frozen=True, slots=True)
class Last:
    """What was chosen last: the key of an item, and a model."""

    item: str = ""
    model: str = ""


def can_be_shown() -> bool:
    """Whether the terminal can move its cursor."""
    return not is_dumb_terminal()


def run_menu(start: Start, flags: Sequence[str]) -> None:
    """Show the menu until the user leaves. `start` runs the words of a command, whose errors are
    told here; `flags` are for `run`.

    Raises Unreachable if there is no server and none can be started.
    """
    settings = read_settings()
    items = make_items(flags)
    with connect(settings) as client:
        while True:
            last = read_last(settings)
            remark = f"({last.model})" if last.model else ""
            rows = [Row(item.text, remark if item.needs_model else "") for item in items]
            at = next((n for n, item in enumerate(items) if item.key == last.item), 0)
            picked = pick(f"Puna {__version__}", rows, at)
            if picked is None:
                return
            with telling_errors():
                carry_out(start, client, settings, items[picked.row], ask=picked.with_arrow)


def make_items(flags: Sequence[str]) -> list[Item]:
    """What there is to do."""
    return [
        Item("run", "Chat with a model", ("run", *flags)),
        Item(
            "agent",
            "Let a model work in this folder",
            ("run", "--agent", *flags),
            capability="tools",
        ),
        Item("list", "List the models", ("list",), needs_model=False),
        Item("help", "Show all commands", ("help",), needs_model=False),
    ]


def carry_out(start: Start, client: Client, settings: Settings, item: Item, *, ask: bool) -> None:
    """Do one thing, with the model of last time unless it cannot do it or `ask` is set."""
    model = read_last(settings).model
    if item.needs_model:
        if ask or not is_usable(client, model, item.capability):
            model = choose_model(client, model)
        if not model:
            return
    write_last(settings, Last(item.key, model))
    start([*item.command, *([model] if item.needs_model else [])])


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


def read_last(settings: Settings) -> Last:
    """What was chosen last; a damaged file counts as none."""
    state = _read_state(settings)
    return Last(as_text(state, "last_selection"), as_text(state, "last_model"))


def write_last(settings: Settings, last: Last) -> None:
    """Keep the choice for next time, if that is possible; what else the file holds stays."""
    state = {**_read_state(settings), "last_model": last.model, "last_selection": last.item}
    path = settings.home / "config.json"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(state, indent=2) + "\n", "utf-8")
        os.replace(fresh, path)
    except OSError:
        return


def _read_state(settings: Settings) -> dict[str, object]:
    try:
        with (settings.home / "config.json").open(encoding="utf-8") as file:
            return as_object(json.loads(file.read(MAX_STATE)))
    except (OSError, ValueError, RecursionError):
        return {}
