"""The store of a server on this machine, reached directly: files are linked into it, not sent."""

from __future__ import annotations

import os

from puna.client.client import Client
from puna.client.transport import is_this_machine
from puna.errors import ClientError
from puna.models.library import Library

__all__ = ["find_local_store"]


def find_local_store(client: Client) -> Library | None:
    """The server's store, None unless it is this machine's and may be written.

    A server in a container may name a folder that is another one here: device and inode decide.
    """
    if not is_this_machine(client.host):
        return None
    try:
        store = client.store()
        about = os.stat(store.path)
    except (ClientError, OSError):  # another server, or its folder is not ours to see
        return None
    is_same = (about.st_dev, about.st_ino) == (store.device, store.inode)
    return Library(store.path) if is_same and os.access(store.path, os.W_OK) else None
