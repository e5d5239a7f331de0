"""`puna pull MODEL`: let the server fetch a model, and show how far it is.

Facts: CLI spec, section 1.8.
"""

from __future__ import annotations

from contextlib import closing

from puna.cli.command import command, exactly, json_option, option
from puna.cli.follow import follow_transfer, progress, telling
from puna.client.client import Client
from puna.client.start import connect
from puna.config import read_settings

__all__ = ["COMMAND", "pull"]


@command(
    "pull",
    completes=("model",),
    usage="MODEL",
    words=exactly(1),
    help="Pull a model from a registry",
)
@option("--insecure", kind="bool", help="Use an insecure registry")
@json_option
def COMMAND(words: tuple[str, ...], insecure: bool, json: bool) -> None:
    with connect(read_settings()) as client:
        pull(client, words[0], insecure=insecure, as_json=json)


def pull(client: Client, model: str, *, insecure: bool, as_json: bool = False) -> None:
    """Pull a model and show its progress on standard error, or as lines of JSON on standard output.

    Raises ClientError.
    """
    with (
        progress(as_json=as_json) as shown,
        closing(client.pull(model, insecure=insecure)) as steps,
    ):
        follow_transfer(telling(steps, as_json=as_json), shown)
