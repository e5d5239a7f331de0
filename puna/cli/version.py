"""`puna --version`: the server's version and our own."""

from __future__ import annotations

import json

from puna import __version__
from puna.client.transport import Transport
from puna.config import read_settings
from puna.errors import ClientError

__all__ = ["print_versions", "server_version"]


def print_versions(*, as_json: bool = False) -> None:
    """Print the versions of the server and, where it differs, of this program. Never fails."""
    server = server_version()
    if as_json:
        print(json.dumps({"server": server or None, "client": __version__}, indent=2))
        return
    if server:
        print(f"puna version is {server}")
    else:
        print("Warning: could not connect to a running Puna instance")
    if server != __version__:
        print(f"Warning: client version is {__version__}")


def server_version() -> str:
    """The version of the server, "" where none answers: Puna's if it is one."""
    settings = read_settings()
    transport = Transport(settings.host, settings.api_key)
    try:
        answer = transport.send("GET", "/api/version")
    except ClientError:
        return ""
    finally:
        transport.close()
    return next((str(answer[key]) for key in ("puna", "version") if answer.get(key)), "")
