"""`puna ps [PREFIX]`: the models in memory."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from puna.cli.command import command
from puna.client.start import connect
from puna.config import read_settings
from puna.term.listing import loaded_table

__all__ = ["COMMAND"]


@command("ps", completes=("loaded",), usage="[PREFIX]", help="List running models")
def COMMAND(words: tuple[str, ...]) -> None:
    with connect(read_settings()) as client:
        rows = client.loaded()
    sys.stdout.write(loaded_table(rows, words[0] if words else "", datetime.now(UTC)))
