"""`puna cp SOURCE DESTINATION`."""

from __future__ import annotations

from puna.cli.command import command, exactly, json_option
from puna.cli.output import print_object
from puna.client.start import connect
from puna.config import read_settings

__all__ = ["COMMAND"]


@command(
    "cp", completes=("model", ""), usage="SOURCE DESTINATION", words=exactly(2), help="Copy a model"
)
@json_option
def COMMAND(words: tuple[str, ...], json: bool) -> None:
    source, destination = words
    with connect(read_settings()) as client:
        client.copy(source, destination)
    if json:
        print_object({"copied": source, "to": destination})
        return
    print(f"copied '{source}' to '{destination}'")
