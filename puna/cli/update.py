"""`puna update [MODEL...]`: pull models anew whose registry has another version; exit 1 when one
fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

import click

from puna.cli.command import command, json_option, option
from puna.cli.follow import follow_transfer, progress, telling
from puna.client.replies import Progress as Step
from puna.client.start import connect
from puna.client.upkeep import Updated
from puna.config import read_settings
from puna.errors import BadRequest

__all__ = ["COMMAND"]

SHOWN_DIGITS = 12


@command(
    "update",
    completes=("model*",),
    usage="[MODEL...]",
    help="Pull models again whose registry has a new version",
)
@option("--all", kind="bool", help="Update every installed model")
@option("--dry-run", kind="bool", help="Only show what would be updated")
@option("--insecure", kind="bool", help="Use an insecure registry")
@json_option
def COMMAND(words: tuple[str, ...], all: bool, dry_run: bool, insecure: bool, json: bool) -> None:
    if bool(words) == all:
        raise BadRequest("name the models to update, or use --all for every one")
    updates: list[Updated] = []
    with (
        connect(read_settings()) as client,
        progress(as_json=json) as shown,
        closing(client.update(list(words), dry_run=dry_run, insecure=insecure)) as steps,
    ):
        follow_transfer(_steps(telling(steps, as_json=json), updates), shown)
    for each in () if json else updates:
        print(told(each))
    if any(each.status == "failed" for each in updates):
        raise click.exceptions.Exit(1)


def _steps(lines: Iterable[Step | Updated], updates: list[Updated]) -> Iterator[Step]:
    """The steps among the lines; what became of models is kept."""
    for line in lines:
        if isinstance(line, Updated):
            updates.append(line)
        else:
            yield line


def told(update: Updated) -> str:
    """The line about one model."""
    change = f"{update.before[:SHOWN_DIGITS]} to {update.after[:SHOWN_DIGITS] or 'newer files'}"
    match update.status:
        case "current":
            return f"{update.model} is up to date"
        case "updated":
            return f"{update.model} was updated from {change}"
        case "outdated":
            return f"{update.model} would be updated from {change}"
    return f"{update.model} {update.status}: {update.reason}"
