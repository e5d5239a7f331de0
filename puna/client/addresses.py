"""Which addresses of the network are public, whatever form they are written in. Pure."""

from __future__ import annotations

import ipaddress

__all__ = ["is_public"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")


def is_public(text: str) -> bool:
    """Whether a numeric address leads to the open internet: no private, loopback, link-local,
    multicast or reserved one, and none that stands for such an IPv4 address.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False  # a scope id, which only local addresses have
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64_LOCAL or address in _IPV4_COMPATIBLE:
            return False
        inner = _inner(address)
        if inner is not None:
            return _is_open(inner)
    return _is_open(address)


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to this one go to in the end."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_open(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
