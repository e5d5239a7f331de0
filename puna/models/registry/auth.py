"""From a challenge to the header that answers it: a token by our key, or a name and a password.

Facts: models spec, section 7.2. Nothing is sent to a realm of another origin unless it is listed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from puna.errors import Denied, RegistryError
from puna.models.registry.challenge import Challenge
from puna.models.registry.key import KeyStore
from puna.models.registry.origin import Registry, origin_of
from puna.models.registry.retry import Retry
from puna.models.registry.transport import Transport, refusal
from puna.threads import in_thread

__all__ = ["KNOWN_REALMS", "Authority", "Credentials", "check_realm", "signed_text", "token_url"]

KNOWN_REALMS = frozenset(
    {
        "hf.co=huggingface.co",
        "registry-1.docker.io=auth.docker.io",
        "registry.ollama.ai=ollama.com",
    }
)
"""Registries and other hosts where their tokens may be had."""

MAX_TOKEN_BYTES = 1024 * 1024

_EMPTY = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password for one registry."""

    user: str
    password: str

    @property
    def header(self) -> str:
        """The value of `Authorization`."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def token_url(challenge: Challenge, now: int, nonce: str) -> str:
    """Where to ask for a token: the realm, with the challenge, the time and a nonce in its query.

    `now` is in seconds since 1970.
    """
    parts = urlsplit(challenge.realm)
    query = parse_qsl(parts.query, keep_blank_values=True)
    query += [("service", challenge.service), *(("scope", each) for each in challenge.scopes)]
    query += [("ts", str(now)), ("nonce", nonce)]
    query.sort(key=lambda pair: pair[0])  # stable: scopes keep their order
    return parts._replace(query=urlencode(query), fragment="").geturl()


def signed_text(url: str) -> str:
    """What the key signs for a GET of `url`."""
    return f"GET,{url},{_EMPTY}"


def check_realm(registry: Registry, realm: str, listed: Collection[str]) -> None:
    """Raise RegistryError unless tokens of this registry may be had there."""
    ours, theirs = registry.origin, origin_of(realm)
    pair = f"{ours.authority}={theirs.authority}"
    is_same = (ours.host, ours.port) == (theirs.host, theirs.port)
    if not is_same and pair not in KNOWN_REALMS and pair not in listed:
        raise RegistryError(
            f'realm host "{theirs.authority}" does not match original host "{ours.authority}"'
        )
    if theirs.scheme == "http" and ours.scheme == "https":
        raise RegistryError(f"refusing to ask for a token over http: {realm[:200]}")


@dataclass(frozen=True, slots=True)
class Authority:
    """What it takes to answer challenges."""

    transport: Transport
    keys: KeyStore
    retry: Retry
    realms: Collection[str]
    """More pairs like those of KNOWN_REALMS."""
    clock: Callable[[], float] = time.time

    async def answer(
        self, registry: Registry, challenge: Challenge, credentials: Credentials | None
    ) -> str:
        """The value of `Authorization` for further requests. Raises Denied, RegistryError."""
        match challenge.kind:
            case "bearer":
                return f"Bearer {await self._token(registry, challenge, credentials)}"
            case "basic" if credentials is not None:
                return credentials.header
            case "basic":
                raise Denied("this registry wants a user name and a password")
        raise Denied

    async def _token(
        self, registry: Registry, challenge: Challenge, credentials: Credentials | None
    ) -> str:
        check_realm(registry, challenge.realm, self.realms)

        async def ask() -> str:
            nonce = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
            url = token_url(challenge, int(self.clock()), nonce)
            if credentials is not None:
                return await self._fetch(registry, url, credentials.header)
            key = await in_thread(self.keys.key)
            try:
                return await self._fetch(registry, url, key.sign(signed_text(url)))
            except _Refused as refused:
                try:  # what plain registries give to anybody
                    return await self._fetch(registry, url, "")
                except _Refused:
                    raise refused from None

        return await self.retry.call(ask)

    async def _fetch(self, registry: Registry, url: str, authorization: str) -> str:
        headers = {"Authorization": authorization} if authorization else {}
        async with self.transport.send("GET", url, headers, verify=registry.verify) as reply:
            if reply.status in {400, 401, 403}:
                raise _Refused(str(await refusal(reply)))
            if reply.status != 200:
                raise await refusal(reply)
            raw = await reply.read(MAX_TOKEN_BYTES)
        try:
            body = json.loads(raw)
            token = body.get("token") or body.get("access_token")
        except (ValueError, AttributeError, RecursionError) as cause:
            raise RegistryError("the token server's answer is not JSON") from cause
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise RegistryError("the token server's answer has no token")
        return token


class _Refused(RegistryError):
    """The token server does not like who asks."""
