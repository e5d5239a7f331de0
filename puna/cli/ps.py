"""`puna ps [PREFIX]`: the models in memory."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from puna.cli.command import command, json_option
from puna.cli.output import print_object
from puna.client.start import connect
from puna.config import read_settings
from puna.term.listing import loaded_table

__all__ = ["COMMAND"]


@command("ps", completes=("loaded",), usage="[PREFIX]", help="List running models")
@json_option
def COMMAND(words: tuple[str, ...], json: bool) -> None:
    with connect(read_settings()) as client:
        rows = client.loaded()
    prefix = words[0] if words else ""
    if json:
        print_object({"models": [row for row in rows if row.name.startswith(prefix)]})
    else:
        sys.stdout.write(loaded_table(rows, prefix, datetime.now(UTC)))
