"""The header for clients that cannot add a field; the field wins."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator
from typing import Any

import pytest

from puna.api.events import Done, Event
from puna.api.requests import ChatRequest, EmbeddingsRequest, EmbedRequest, GenerateRequest
from puna.api.texts import RerankRequest
from puna.service.embedding import Embedded, Vector
from puna.service.texts import Ranked
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


VECTORS = ["/api/embed", "/api/embeddings", "/v1/embeddings", "/v1/rerank"]


@pytest.mark.parametrize("path", VECTORS)
@pytest.mark.parametrize(("headers", "body", "meant"), CASES.values(), ids=CASES)
def test_priority_of_vectors(
    path: str, headers: dict[str, str], body: dict[str, Any], meant: str
) -> None:
    heard: list[tuple[str, bool]] = []

    def note(order: EmbedRequest | EmbeddingsRequest | RerankRequest) -> None:
        heard.append((order.priority, bool(order.client)))

    async def embed(order: EmbedRequest) -> Embedded:
        note(order)
        return Embedded([array("f", [1])])

    async def embeddings(order: EmbeddingsRequest) -> Vector:
        note(order)
        return array("f", [1])

    async def rerank(order: RerankRequest) -> Ranked:
        note(order)
        return Ranked([(0, 1.0)], ("a",), 1)

    doors = client(embed=embed, embeddings=embeddings, rerank=rerank)
    asked = {"model": "m", "input": "a", "prompt": "a", "query": "q", "documents": ["a"]}
    reply = run(doors.request("POST", path, {**asked, **body}, headers=headers))
    assert (reply.status, heard) == (200, [(meant, True)])
