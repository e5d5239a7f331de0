"""`puna pull MODEL`: let the server fetch a model, and show how far it is.

Facts: CLI spec, section 1.8.
"""

from __future__ import annotations

import sys
from contextlib import closing

from puna.cli.command import command, exactly, option
from puna.cli.follow import follow_transfer
from puna.client.client import Client
from puna.client.start import connect
from puna.config import read_settings
from puna.term.progress import Progress

__all__ = ["COMMAND", "pull"]


@command(
    "pull",
    completes=("model",),
    usage="MODEL",
    words=exactly(1),
    help="Pull a model from a registry",
)
@option("--insecure", kind="bool", help="Use an insecure registry")
def COMMAND(words: tuple[str, ...], insecure: bool) -> None:
    with connect(read_settings()) as client:
        pull(client, words[0], insecure=insecure)


def pull(client: Client, model: str, *, insecure: bool) -> None:
    """Pull a model and show its progress on standard error. Raises ClientError."""
    with Progress(sys.stderr) as progress, closing(client.pull(model, insecure=insecure)) as steps:
        follow_transfer(steps, progress)
