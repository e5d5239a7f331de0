"""Binding, and what the host check asks of the listener."""

from __future__ import annotations

import ipaddress
import resource
import socket
import subprocess
import sys

import pytest

from puna.config import Host, parse_host
from puna.errors import PunaError
from puna.server.listen import address_of, bind, is_local, is_loopback, raise_open_files

NO_SOCKETS = """
import ipaddress, resource
from puna.server.listen import is_local

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
print(is_local(ipaddress.ip_address("::1")))
"""


def test_a_busy_port_is_told_as_the_reference_tells_it() -> None:
    with bind(Host(port=0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(PunaError) as caught:
            bind(Host(port=port))
    assert str(caught.value) == f"listen tcp 127.0.0.1:{port}: bind: address already in use"


def test_an_address_of_another_machine() -> None:
    with pytest.raises(PunaError, match=r"listen tcp 192\.0\.2\.1:0: bind: cannot assign"):
        bind(Host(name="192.0.2.1", port=0))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_loopback_listeners(name: str) -> None:
    with bind(Host(name=name, port=0)) as listener:
        assert is_loopback(listener)
        assert address_of(listener) == f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("text", [":0", "0.0.0.0:0"])
def test_every_interface(text: str) -> None:
    with bind(parse_host(text)) as listener:
        assert not is_loopback(listener)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


def test_an_address_that_cannot_be_tried_is_none_of_this_machine() -> None:
    """As where the system has no IPv6: here it gives no further socket, in a process of its own,
    as other threads could not wait for theirs either."""
    done = subprocess.run([sys.executable, "-c", NO_SOCKETS], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"False\n", b"")


def test_addresses_of_this_machine() -> None:
    assert is_local(ipaddress.ip_address("127.0.0.1"))
    assert not is_local(ipaddress.ip_address("192.0.2.1"))
    assert not is_local(ipaddress.ip_address("2001:db8::1"))
    assert not is_local(ipaddress.ip_address("224.0.0.1"))


def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 900), hard))
    try:
        raise_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, 65_536), hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        raise_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard), "never lowered"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
