"""`puna rm MODEL...`: unload and delete, stopping at the first error."""

from __future__ import annotations

import sys

from puna.cli.command import at_least, command, json_option
from puna.cli.output import print_line
from puna.client.client import Client
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import ClientError

__all__ = ["COMMAND"]


@command(
    "rm", completes=("model*",), usage="MODEL [MODEL...]", words=at_least(1), help="Remove a model"
)
@json_option
def COMMAND(words: tuple[str, ...], json: bool) -> None:
    with connect(read_settings()) as client:
        for model in words:
            _unload(client, model)
            client.delete(model)
            if json:
                print_line({"deleted": model})
            else:
                print(f"deleted '{model}'")


def _unload(client: Client, model: str) -> None:
    try:
        client.load({"model": model, "keep_alive": 0})
    except ClientError as error:
        if "not found" not in str(error):
            print(f"Warning: unable to stop model '{model}'", file=sys.stderr)
