"""`puna logout HOST`: forget a password that `puna login` or `docker login` wrote down."""

from __future__ import annotations

from puna.cli.command import command, exactly, json_option
from puna.cli.login import config_path
from puna.cli.output import print_object
from puna.config import read_settings
from puna.models.registry.credentials import forget_credentials
from puna.models.registry.login import parse_host

__all__ = ["COMMAND"]


@command("logout", usage="HOST", words=exactly(1), variables=(), help="Sign out of a registry")
@json_option
def COMMAND(words: tuple[str, ...], json: bool) -> None:
    _, host = parse_host(words[0])
    was_there = forget_credentials(config_path(read_settings()), host)
    if json:
        print_object({"host": host, "signed_out": was_there})
        return
    print(f"signed out of {host}" if was_there else f"not signed in to {host}")
