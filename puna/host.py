"""Where a server listens and is found, and how OLLAMA_HOST spells it (CLI spec, section 3.2)."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["DEFAULT_PORT", "Host", "parse_host"]

DEFAULT_PORT = 11434


@dataclass(frozen=True, slots=True)
class Host:
    """Where a server listens, and where clients find it: `http://127.0.0.1:11434`."""

    scheme: str = "http"
    name: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    path: str = ""

    @property
    def authority(self) -> str:
        """`name:port`, with brackets around an IPv6 address."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """The address with its path prefix, without a closing slash."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def connectable(self) -> Host:
        """The address to dial: where every interface is meant, this machine's loopback."""
        name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.name, self.name)
        return dataclasses.replace(self, name=name)


def parse_host(text: str, warn: Callable[[str], None] = lambda _: None) -> Host:
    """Read an OLLAMA_HOST value (CLI spec, section 3.2). Bad parts fall back to defaults."""
    text = text.strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
        port = DEFAULT_PORT
        if text == "ollama.com":
            scheme, port = "https", 443
    else:
        port = {"http": 80, "https": 443}.get(scheme, DEFAULT_PORT)
    authority, slash, path = rest.partition("/")
    name, number = _split_authority(authority)
    if number is not None:
        try:
            given = int(number) if number.isascii() and number.isdigit() else -1
        except ValueError:
            given = -1
        if 0 <= given <= 65535:
            port = given
        else:
            warn(f"invalid port, using default: port={number} default={port}")
    return Host(scheme, name, port, (slash + path).rstrip("/"))


def _split_authority(authority: str) -> tuple[str, str | None]:
    """Split `name:port`; the port is None when there is none."""
    bare = authority.removeprefix("[").removesuffix("]")
    try:
        ipaddress.IPv6Address(bare)
    except ValueError:
        pass
    else:
        return bare, None
    if authority.startswith("["):
        name, _, number = authority[1:].partition("]")
        return name, number.removeprefix(":") if number.startswith(":") else None
    name, colon, number = authority.rpartition(":")
    if not colon:
        return authority or "127.0.0.1", None
    return name, number
