"""The listening socket: bound before anything else starts, so a busy port is one clear line. And
how many clients there is room for.
"""

from __future__ import annotations

import ipaddress
import os
import resource
import socket
from contextlib import suppress

from puna.config import Host
from puna.errors import PunaError
from puna.server.checks import IPAddress

__all__ = ["address_of", "bind", "is_local", "is_loopback", "raise_open_files"]

_EVERYWHERE = {"", "0.0.0.0", "::"}
_BACKLOG = 2048
_OPEN_FILES = 65_536


def bind(host: Host) -> socket.socket:
    """Listen on `host`. An address that means "every interface" takes both families where the
    system can.

    Raises PunaError worded as the reference words it.
    """
    everywhere = host.name in _EVERYWHERE
    try:
        if everywhere and socket.has_dualstack_ipv6():
            return socket.create_server(
                ("::", host.port),
                family=socket.AF_INET6,
                backlog=_BACKLOG,
                dualstack_ipv6=True,
            )
        family, address = _resolve("0.0.0.0" if everywhere else host.name, host.port)
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    except socket.gaierror:
        raise PunaError(f"listen tcp: lookup {host.name}: no such host") from None
    except OSError as error:
        cause = os.strerror(error.errno).lower() if error.errno else str(error)
        raise PunaError(f"listen tcp {host.authority}: bind: {cause}") from error


def _resolve(name: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The first address of a name, IPv4 before IPv6."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    found.sort(key=lambda row: row[0] != socket.AF_INET)
    family, _, _, _, address = found[0]
    return family, (str(address[0]), port)


def address_of(listener: socket.socket) -> str:
    """`127.0.0.1:11434`, with brackets around an IPv6 address."""
    name, port = listener.getsockname()[:2]
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach the listener."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def is_local(address: IPAddress) -> bool:
    """Whether `address` belongs to an interface of this machine: the system lets us bind to no
    other."""
    if address.is_multicast:
        return False
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:  # there may be no IPv6 at all
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def raise_open_files() -> None:
    """Let this process have as many open files as the system allows it: every client is one.

    What a shell begins with, often 1,024, is for programs that look through all of them.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
