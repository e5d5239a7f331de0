"""The header for clients that cannot add a field; the field wins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from puna.api.events import Done, Event
from puna.api.requests import ChatRequest, GenerateRequest
from tests.server.scripted import client, run

CASES: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "neither": ({}, {}, ""),
    "the header": ({"X-Puna-Priority": "low"}, {}, "low"),
    "the field": ({}, {"priority": "high"}, "high"),
    "both": ({"X-Puna-Priority": "low"}, {"priority": "high"}, "high"),
}


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
@pytest.mark.parametrize(("headers", "body", "meant"), CASES.values(), ids=CASES)
def test_priority(path: str, headers: dict[str, str], body: dict[str, Any], meant: str) -> None:
    heard: list[str] = []

    async def answer(order: ChatRequest | GenerateRequest) -> AsyncIterator[Event]:
        heard.append(order.priority)
        yield Done("stop")

    doors = client(chat=answer, generate=answer)
    reply = run(doors.request("POST", path, {"model": "m", **body}, headers=headers))
    assert (reply.status, heard) == (200, [meant])
