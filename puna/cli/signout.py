"""`puna signout`: the server forgets its account of ollama.com."""

from __future__ import annotations

from puna.cli.command import command, exactly, json_option
from puna.cli.output import print_object
from puna.cli.signin import UNAUTHORIZED
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import ClientError

__all__ = ["COMMAND"]


@command("signout", words=exactly(0), variables=(), help="Sign out from ollama.com")
@json_option
def COMMAND(words: tuple[str, ...], json: bool) -> None:
    was_signed_in = True
    with connect(read_settings()) as client:
        try:
            client.sign_out()
        except ClientError as error:
            if error.status != UNAUTHORIZED:
                raise
            was_signed_in = False
    if json:
        print_object({"signed_out": was_signed_in})
    elif was_signed_in:
        print("You have signed out of ollama.com\n")
    else:
        print("You are not signed in to ollama.com\n")
