"""Who a request counts for, where clients share a model: its API key, else its address; and how
important it is.
"""

from __future__ import annotations

import hashlib
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from starlette.requests import Request

__all__ = ["client_of", "sign"]

PRIORITY = "X-Puna-Priority"
"""For clients that cannot add a field to the body: high, normal or low."""

_KEYS = ("authorization", "x-api-key")
_NETWORK = 64  # bits of an IPv6 address: what one household or machine has to itself


class Signed(Protocol):
    """An order that shares a model with others."""

    priority: str
    client: str


def sign(order: Signed, request: Request) -> None:
    """Say in an order whose it is, and how important where its body does not."""
    order.priority = order.priority or request.headers.get(PRIORITY, "")
    order.client = client_of(request)


def client_of(request: Request) -> str:
    """A name for the client; keys themselves go no further than here."""
    for header in _KEYS:
        if key := request.headers.get(header):
            return hashlib.sha256(key.encode()).hexdigest()[:16]
    return _network(request.client.host) if request.client else ""


def _network(host: str) -> str:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return (int(address) >> (128 - _NETWORK)).to_bytes(8, "big").hex()
    return str(getattr(address, "ipv4_mapped", None) or address)
