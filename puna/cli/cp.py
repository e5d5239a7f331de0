"""`puna cp SOURCE DESTINATION`."""

from __future__ import annotations

from puna.cli.command import command, exactly
from puna.client.start import connect
from puna.config import read_settings

__all__ = ["COMMAND"]


@command(
    "cp", completes=("model", ""), usage="SOURCE DESTINATION", words=exactly(2), help="Copy a model"
)
def COMMAND(words: tuple[str, ...]) -> None:
    source, destination = words
    with connect(read_settings()) as client:
        client.copy(source, destination)
    print(f"copied '{source}' to '{destination}'")
