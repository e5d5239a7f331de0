"""To whom the Hub's token is sent, and which names are the Hub's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from puna.errors import NotInRegistry
from puna.models.name import Name
from puna.models.registry.auth import Authority
from puna.models.registry.hub import Hub, is_hub
from puna.models.registry.key import KeyStore
from puna.models.registry.retry import Retry
from puna.models.registry.transport import Transport

NAME = Name.parse("hf.co/org/m")
HOME = "https://huggingface.co"


class NothingThere:
    """A transport that finds nothing and remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    @asynccontextmanager
    async def send(
        self, method: str, url: str, headers: Mapping[str, str], **more: Any
    ) -> AsyncIterator[Any]:
        self.sent.append((url, headers.get("Authorization", "")))
        yield _NotFound(url)


class _NotFound:
    status, is_redirect = 404, False

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers: dict[str, str] = {}


SENT: dict[str, tuple[str, bool, str]] = {
    "the Hub itself": (HOME, True, "Bearer hf_x"),
    "an unchecked certificate": (HOME, False, ""),
    "a mirror over http": ("http://mirror.example", True, ""),
    "a mirror over https": ("https://mirror.example/hf", True, "Bearer hf_x"),
    "this machine": ("http://127.0.0.1:1", True, "Bearer hf_x"),
}


@pytest.mark.parametrize(("endpoint", "verify", "expected"), SENT.values(), ids=SENT)
def test_the_token_is_sent_only_where_nobody_else_reads_it(
    tmp_path: Path, endpoint: str, verify: bool, expected: str
) -> None:
    transport = NothingThere()
    authority = Authority(cast("Transport", transport), KeyStore([tmp_path]), Retry(), ())
    hub = Hub(authority, endpoint, NAME, "hf_x", verify=verify)
    with pytest.raises(NotInRegistry):
        asyncio.run(hub.files())
    url = f"{endpoint}/api/models/org/m/tree/main?recursive=true"
    assert transport.sent == [(url, expected)]


HUBS: dict[str, tuple[str, str, bool]] = {
    "short": ("hf.co/org/m", HOME, True),
    "long": ("huggingface.co/org/m:Q8_0", HOME, True),
    "in capitals": ("HF.co/org/m", HOME, True),
    "the endpoint's own host": ("hf-mirror.com/org/m", "https://hf-mirror.com", True),
    "with its port": ("localhost:8080/org/m", "http://localhost:8080/x", True),
    "another port": ("localhost:8081/org/m", "http://localhost:8080/x", False),
    "a mirror that is not set": ("hf-mirror.com/org/m", HOME, False),
    "another registry": ("m", HOME, False),
    "a namespace": ("hf.co/m", HOME, False),
}


@pytest.mark.parametrize(("name", "endpoint", "expected"), HUBS.values(), ids=HUBS)
def test_names_of_the_hub(name: str, endpoint: str, expected: bool) -> None:
    try:
        parsed = Name.parse(name)
    except ValueError:
        assert not expected
        return
    assert is_hub(parsed, endpoint) is expected
