"""`puna signin`: whose account of ollama.com the server uses, or where to sign in.

Only servers that have accounts know; Puna's runs models here and needs none.
"""

from __future__ import annotations

from puna.cli.command import command, exactly, json_option
from puna.cli.output import print_object
from puna.client.client import Client
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import ClientError

__all__ = ["COMMAND", "UNAUTHORIZED", "print_sign_in", "sign_in"]

UNAUTHORIZED = 401
NEEDED = "You need to be signed in to Ollama to run Cloud models."
NO_ACCOUNTS = "This server has no accounts: its models run on its own machine and need none."


@command("signin", words=exactly(0), variables=(), help="Sign in to ollama.com")
@json_option
def COMMAND(words: tuple[str, ...], json: bool) -> None:
    with connect(read_settings()) as client:
        sign_in(client, as_json=json)


def sign_in(client: Client, *, as_json: bool = False) -> None:
    """Say who is signed in, or where to sign in. Raises ClientError."""
    user = url = ""
    try:
        user = client.account()
    except ClientError as error:
        if error.status != UNAUTHORIZED:
            raise
        url = error.sign_in_url
    if as_json:
        print_object({"user": user or None, "signin_url": url or None})
    elif user:
        print(f"You are already signed in as user '{user}'\n")
    elif url:
        print_sign_in(url)
    else:
        print(NO_ACCOUNTS)


def print_sign_in(url: str) -> None:
    """Say where to sign in. No browser is opened: the address comes from the server."""
    shown = "".join(char for char in url if char.isprintable())
    print(f"{NEEDED}\n\nTo sign in, navigate to:\n    {shown}\n")
