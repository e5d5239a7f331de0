"""Where a registry is, and by which rules it is spoken to: scheme, certificates, redirects.

Facts: models spec, section 1.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from puna.errors import BadRequest, RegistryError
from puna.models.name import Name, split_name

__all__ = ["LOOPBACK", "Origin", "Registry", "origin_of", "parse_registry", "redirected"]

PORTS = {"http": 80, "https": 443}
PUBLIC = frozenset(
    {
        "registry.ollama.ai",
        "ollama.com",
        "hf.co",
        "huggingface.co",
        "registry-1.docker.io",
        "ghcr.io",
    }
)
"""Registries that everybody reaches by https: some programs ask for all models with `insecure`."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: credentials for one of them are for no other."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """`host:port`, without the port where the scheme implies it."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == PORTS[self.scheme] else f"{name}:{self.port}"


def origin_of(url: str) -> Origin:
    """The origin of an absolute http or https address. Raises RegistryError for any other."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as cause:
        raise RegistryError(f"invalid address {url[:200]!r}: {cause}") from cause
    if parts.scheme not in PORTS or not host:
        raise RegistryError(f"unsupported address {url[:200]!r}")
    return Origin(parts.scheme, host.lower(), PORTS[parts.scheme] if port is None else port)


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry's base address, `https://host:port`, and whether its certificate is checked."""

    base: str
    verify: bool = True

    @property
    def origin(self) -> Origin:
        """Who gets our credentials."""
        return origin_of(self.base)

    def url(self, name: Name, path: str) -> str:
        """The address of something in a model's repository."""
        return f"{self.base}/v2/{name.repository}/{path}"


def parse_registry(text: str, insecure: bool) -> Registry:
    """The registry of a written model name.

    `insecure` means plain http, or, where https is written, certificates that nobody checks; for
    public registries nothing unless the scheme is written. Raises BadRequest for http without it
    and for other schemes.
    """
    scheme = split_name(text).scheme.lower()
    host = Name.parse(text).host
    insecure = insecure and (bool(scheme) or host.lower() not in PUBLIC)
    if scheme not in {"", *PORTS}:
        raise BadRequest(f"unsupported protocol scheme: {scheme}")
    if scheme == "http" and not insecure:
        raise BadRequest("insecure protocol http")
    registry = Registry(
        f"{scheme or ('http' if insecure else 'https')}://{host}", verify=not insecure
    )
    _ = registry.origin
    return registry


def redirected(url: str, location: str, insecure: bool) -> str:
    """Where a redirect from `url` leads. Raises RegistryError for one from https to http."""
    target = urljoin(url, location)
    if origin_of(target).scheme == "http" and url.startswith("https:") and not insecure:
        raise RegistryError(f"refusing a redirect from https to http: {target[:200]}")
    return target
