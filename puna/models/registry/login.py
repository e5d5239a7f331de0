"""Trying a name and a password at a registry, before they are written down."""

from __future__ import annotations

from puna.errors import RegistryError
from puna.models.name import Name
from puna.models.registry.auth import Authority, Credentials
from puna.models.registry.origin import Registry
from puna.models.registry.session import Session
from puna.models.registry.transport import refusal

__all__ = ["check_login", "parse_host"]


def parse_host(text: str) -> tuple[str, str]:
    """A written registry, `[scheme://]host[:port]`, as a name of some model in it and its host.

    Raises InvalidName.
    """
    scheme, separator, host = text.rstrip("/").rpartition("://")
    name = Name.parse(f"{host}/library/model")
    return f"{scheme}{separator}{name.host}/library/model", name.host


async def check_login(authority: Authority, registry: Registry, credentials: Credentials) -> None:
    """Raise Denied or RegistryError unless the registry takes them."""
    name = Name(registry.origin.authority, "library", "model", "latest")
    session = Session(authority, registry, name, credentials, authorization=credentials.header)

    async def ask() -> None:
        async with session.open(f"{registry.base}/v2/", {}) as reply:
            if reply.status == 404:
                raise RegistryError(f"{registry.base} is not a registry")
            if reply.status != 200:
                raise await refusal(reply)

    await session.retry.call(ask)
