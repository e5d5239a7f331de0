"""`puna push MODEL`: let the server bring a model to its registry, and show how far it is.

Facts: CLI spec, section 1.10.
"""

from __future__ import annotations

from contextlib import closing

from puna.cli.command import command, exactly, json_option, option
from puna.cli.follow import follow_push, progress, telling
from puna.client.client import Client
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import ClientError, InvalidName
from puna.models.name import Name

__all__ = ["COMMAND"]

OFFICIAL = (".ollama.ai", ".ollama.com")
REFUSALS = ("access denied", "unauthorized")
NOT_YOURS = (
    "you are not authorized to push to this namespace, create the model under a namespace you own"
)


@command(
    "push", completes=("model",), usage="MODEL", words=exactly(1), help="Push a model to a registry"
)
@option("--insecure", kind="bool", help="Use an insecure registry")
@json_option
def COMMAND(words: tuple[str, ...], insecure: bool, json: bool) -> None:
    name = _name(words[0])
    is_official = name is not None and name.host.endswith(OFFICIAL)
    with connect(read_settings()) as client:
        if is_official and (notice := _sign_in_notice(client)):
            if json:
                raise ClientError(notice.replace("\n\n", " "), 401)
            print(notice)
            return
        _push(client, words[0], insecure=insecure, as_json=json)
    if name is not None and not json:
        place = f"https://ollama.com/{name.short.removesuffix(':latest')}" if is_official else name
        print(f"\nYou can find your model at:\n\n\t{place}")


def _name(text: str) -> Name | None:
    try:
        return Name.parse(text)
    except InvalidName:  # the server says what is wrong with it
        return None


def _sign_in_notice(client: Client) -> str:
    """What to tell who has no account there; "" where that is settled or cannot be known.

    A server without accounts, as Puna is, names no place to sign in: its registry key decides.
    """
    url = client.sign_in_url()
    return f"You need to be signed in to push models to ollama.com.\n\n{url}" if url else ""


def _push(client: Client, model: str, *, insecure: bool, as_json: bool) -> None:
    with (
        progress(as_json=as_json) as shown,
        closing(client.push(model, insecure=insecure)) as steps,
    ):
        try:
            follow_push(telling(steps, as_json=as_json), shown)
        except ClientError as error:
            if any(word in str(error) for word in REFUSALS):
                raise ClientError(NOT_YOURS, error.status) from error
            raise
