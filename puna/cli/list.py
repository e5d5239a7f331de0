"""`puna list [PREFIX]`: the installed models."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from puna.cli.command import command, json_option
from puna.cli.output import print_object
from puna.client.start import connect
from puna.config import read_settings
from puna.term.listing import models_table, with_prefix

__all__ = ["COMMAND"]


@command("list", completes=("model",), usage="[PREFIX]", aliases=("ls",), help="List models")
@json_option
def COMMAND(words: tuple[str, ...], json: bool) -> None:
    with connect(read_settings()) as client:
        rows = client.models()
    prefix = words[0] if words else ""
    if json:
        print_object({"models": with_prefix(rows, prefix)})
    else:
        sys.stdout.write(models_table(rows, prefix, datetime.now(UTC)))
