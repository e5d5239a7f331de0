"""`puna signout`: the server forgets its account of ollama.com."""

from __future__ import annotations

from puna.cli.command import command, exactly
from puna.cli.signin import UNAUTHORIZED
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import ClientError

__all__ = ["COMMAND"]


@command("signout", words=exactly(0), variables=(), help="Sign out from ollama.com")
def COMMAND(words: tuple[str, ...]) -> None:
    with connect(read_settings()) as client:
        try:
            client.sign_out()
        except ClientError as error:
            if error.status != UNAUTHORIZED:
                raise
            print("You are not signed in to ollama.com\n")
            return
    print("You have signed out of ollama.com\n")
