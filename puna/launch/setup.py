"""Writing the files of an integration, and putting back what was in them before."""

from __future__ import annotations

import time
from pathlib import Path

from puna.errors import BadRequest
from puna.launch.documents import read_document
from puna.launch.files import Change, Originals, apply, read_file, write_changes
from puna.launch.install import systems
from puna.launch.integration import ConfigFile, Console, Integration, Order
from puna.launch.place import Place
from puna.launch.process import LaunchError

__all__ = ["restore", "set_up"]


def set_up(integration: Integration, order: Order) -> None:
    """Bring every file of the integration up to date; nothing is written if one is unreadable.

    Raises BadRequest and OSError.
    """
    changes = [change for file in integration.files if (change := _plan(file, order)) is not None]
    if not changes:
        return
    originals = Originals.read(_originals_path(integration, order.place))
    write_changes(changes, _backups(integration, order.place), originals, time.time())


def restore(integration: Integration, place: Place, console: Console) -> None:
    """Put back what the files held before Puna changed them; what was changed since stays.

    Raises LaunchError where there is nothing that could be restored, BadRequest and OSError.
    """
    if not integration.files and not integration.restored:
        raise LaunchError(f"{integration.name} does not support --restore")
    if not integration.is_for(place.system):
        raise LaunchError(
            f"{integration.title} restore is only supported on {systems(integration)}"
        )
    originals = Originals.read(_originals_path(integration, place))
    changes = originals.restored()
    nothing = Order(place, ())
    plans = [_plan(file, nothing) for file in integration.on_restore(place)]
    changes += [change for change in plans if change is not None]
    for change in changes:
        if change.before != change.after:
            apply(change, _backups(integration, place), time.time())
    for path in integration.cleans_up(place):
        path.unlink(missing_ok=True)
    originals.path.unlink(missing_ok=True)
    if changes or integration.restored:
        console.say(integration.restored or f"{integration.title} is as it was before.")
    else:
        console.say(f"Puna has changed nothing of {integration.title}.")


def _plan(file: ConfigFile, order: Order) -> Change | None:
    path = file.path(order.place)
    before = read_file(path)
    start = before
    for seed in file.seeds(order.place):
        if start is None:
            start = read_file(seed)
    if start is None and file.only_if_there:
        return None
    try:
        document = read_document(path, file.form, start)
    except BadRequest:
        if file.may_be_unreadable:
            return None
        raise
    old = document.copy()
    file.edit(document, order)
    if before is not None and document.root == old.root:
        return Change(path, file.form, before, before, file.mode)
    if document.root is None:
        return None
    return Change(path, file.form, before, document.bytes(), file.mode)


def _originals_path(integration: Integration, place: Place) -> Path:
    """One for each program: two integrations may be the same program's."""
    return place.own_folder / "launch" / "originals" / f"{integration.program}.json"


def _backups(integration: Integration, place: Place) -> Path:
    return place.own_folder / "backup" / integration.name
