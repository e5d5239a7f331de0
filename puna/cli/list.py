"""`puna list [PREFIX]`: the installed models."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from puna.cli.command import command
from puna.client.start import connect
from puna.config import read_settings
from puna.term.listing import models_table

__all__ = ["COMMAND"]


@command("list", completes=("model",), usage="[PREFIX]", aliases=("ls",), help="List models")
def COMMAND(words: tuple[str, ...]) -> None:
    with connect(read_settings()) as client:
        rows = client.models()
    sys.stdout.write(models_table(rows, words[0] if words else "", datetime.now(UTC)))
