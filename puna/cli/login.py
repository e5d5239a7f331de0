"""`puna login HOST`: a name and a password for a private registry.

They are kept where `docker login` keeps them, for the server to find. Without HOST it is `signin`.
"""

from __future__ import annotations

import asyncio
import getpass
import sys
from pathlib import Path

from puna.api.version import registry_user_agent
from puna.cli.command import between, command, json_option, option
from puna.cli.output import print_object
from puna.cli.signin import sign_in
from puna.client.start import connect
from puna.config import Settings, read_settings
from puna.errors import BadRequest
from puna.models.registry.auth import Authority, Credentials
from puna.models.registry.credentials import is_private, write_credentials
from puna.models.registry.key import KeyStore
from puna.models.registry.login import check_login, parse_host
from puna.models.registry.origin import Registry, parse_registry
from puna.models.registry.retry import Retry
from puna.models.registry.transport import Transport

__all__ = ["COMMAND", "config_path"]

MAX_PASSWORD = 4096


@command("login", usage="[HOST]", words=between(0, 1), variables=(), help="Sign in to a registry")
@option("-u", "--username", help="Name at the registry (default: asked for)")
@option("--password-stdin", kind="bool", help="Read the password from standard input")
@option("--insecure", kind="bool", help="Use an insecure registry")
@json_option
def COMMAND(
    words: tuple[str, ...], username: str, password_stdin: bool, insecure: bool, json: bool
) -> None:
    settings = read_settings()
    if not words:  # what the reference means by it
        with connect(settings) as client:
            sign_in(client, as_json=json)
        return
    model, host = parse_host(words[0])
    registry = parse_registry(model, insecure)
    if not is_private(registry):
        raise BadRequest(f"a password for {host} would not be sent: only https keeps it secret")
    credentials = _ask(username, password_stdin)
    asyncio.run(_check(settings, registry, credentials))
    path = config_path(settings)
    write_credentials(path, registry, credentials)
    if json:
        print_object({"host": host, "user": credentials.user, "file": path})
        return
    print(f"signed in to {host} as {credentials.user}; the password is in {path}")


def config_path(settings: Settings) -> Path:
    """Where passwords are."""
    return settings.docker_config.expanduser() / "config.json"


def _ask(username: str, from_stdin: bool) -> Credentials:
    if not from_stdin and not sys.stdin.isatty():
        raise BadRequest("there is no terminal to ask for the password: use --password-stdin")
    if from_stdin and not username:
        raise BadRequest("--password-stdin needs --username")
    name = username or input("Username: ").strip()
    password = sys.stdin.read(MAX_PASSWORD).rstrip("\r\n") if from_stdin else getpass.getpass()
    if not name or ":" in name or not password:
        raise BadRequest("a name without colons and a password are needed")
    return Credentials(name, password)


async def _check(settings: Settings, registry: Registry, credentials: Credentials) -> None:
    async with Transport(registry_user_agent()) as transport:
        keys = KeyStore([settings.home])
        authority = Authority(transport, keys, Retry(), settings.registry_realms)
        await check_login(authority, registry, credentials)
