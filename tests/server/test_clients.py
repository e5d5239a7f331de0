"""Who a request counts for: a key, else an address; what the body claims is not believed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request

from puna.api.events import Done, Event
from puna.api.requests import ChatRequest, GenerateRequest
from puna.server.clients import client_of
from tests.server.scripted import client, run


def name(host: str | None, **headers: str) -> str:
    scope = {
        "type": "http",
        "client": (host, 1) if host else None,
        "headers": [
            (key.replace("_", "-").encode(), text.encode()) for key, text in headers.items()
        ],
    }
    return client_of(Request(scope))


def test_addresses() -> None:
    assert name("192.0.2.1") == name("::ffff:192.0.2.1") != name("192.0.2.2")
    assert name("2001:db8::1") == name("2001:db8::2%eth0") != name("2001:db8:0:1::1")
    assert name(None) == ""


def test_keys() -> None:
    one = name("192.0.2.1", authorization="Bearer secret")
    assert one == name("192.0.2.2", authorization="Bearer secret")
    assert one != name("192.0.2.1", authorization="Bearer other") != name("192.0.2.1")
    assert name("192.0.2.1", x_api_key="k") == name("192.0.2.2", x_api_key="k")
    assert "secret" not in one


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
def test_the_body_cannot_say_who_asks(path: str) -> None:
    heard: list[str] = []

    async def answer(order: ChatRequest | GenerateRequest) -> AsyncIterator[Event]:
        heard.append(order.client)
        yield Done("stop")

    doors = client(chat=answer, generate=answer)
    reply = run(doors.request("POST", path, {"model": "m", "_client": "somebody"}))
    assert (reply.status, len(heard)) == (200, 1)
    assert heard != ["somebody"]
