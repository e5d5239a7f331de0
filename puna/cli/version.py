"""`puna --version`: the server's version and our own."""

from __future__ import annotations

from puna.client.client import Client
from puna.config import read_settings
from puna.errors import ClientError

__all__ = ["print_versions"]


def print_versions(own: str) -> None:
    """Print the versions of the server and, where it differs, of this program. Never fails."""
    server = ""
    try:
        with Client(read_settings().host) as client:
            server = client.version()
    except ClientError:
        pass
    if server:
        print(f"puna version is {server}")
    else:
        print("Warning: could not connect to a running Puna instance")
    if server != own:
        print(f"Warning: client version is {own}")
