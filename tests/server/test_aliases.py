"""Aliases in every door of the OpenAI and the Anthropic API: the model that they stand for answers,
under the name that was asked for."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from puna.api.events import Content, Done, Event
from puna.api.requests import ShowRequest
from puna.service.embedding import Embedded
from puna.service.texts import Ranked
from tests.server.scripted import client, run

MESSAGES = [{"role": "user", "content": "hi"}]
DOORS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": MESSAGES, "n": 2}),
    "completions": ("/v1/completions", {"prompt": ["a", "b"]}),
    "embeddings": ("/v1/embeddings", {"input": "a"}),
    "responses": ("/v1/responses", {"input": "hi"}),
    "messages": ("/v1/messages", {"messages": MESSAGES, "max_tokens": 5}),
    "rerank": ("/v1/rerank", {"query": "a", "documents": ["b"]}),
}
COUNTS = {
    "responses": ("/v1/responses/input_tokens", DOORS["responses"][1]),
    "messages": ("/v1/messages/count_tokens", {"messages": MESSAGES}),
}
DATE = "2026-01-01T12:00:00Z"


class Local:
    """A world in which `gpt-4o` is an alias of `m`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.client = client(
            local_name=self.name,
            aliases=self.aliases,
            chat=self.answer,
            generate=self.answer,
            count_tokens=self.count,
            embed=self.embed,
            rerank=self.rerank,
            show=self.show,
        )

    async def name(self, name: str) -> str:
        return "m" if name == "gpt-4o" else name

    async def aliases(self) -> dict[str, str]:
        return {"gpt-4o": DATE}

    async def answer(self, order: Any) -> AsyncGenerator[Event, None]:
        self.asked.append(order.model)
        yield Content("yes")
        yield Done("stop")

    async def count(self, order: Any) -> int:
        self.asked.append(order.model)
        return 7

    async def embed(self, order: Any) -> Embedded:
        self.asked.append(order.model)
        return Embedded([array("f", [0, 1])], 0, 0, 1)

    async def rerank(self, order: Any) -> Ranked:
        self.asked.append(order.model)
        return Ranked([(0, 0.5)], ("b",), 1)

    async def show(self, order: ShowRequest, user_agent: str) -> object:
        self.asked.append(order.model)
        return {"modified_at": DATE}


@pytest.mark.parametrize(("path", "body"), DOORS.values(), ids=DOORS)
def test_the_answer_has_the_name_that_was_asked_for(path: str, body: dict[str, Any]) -> None:
    local = Local()
    reply = run(local.client.request("POST", path, {"model": "gpt-4o"} | body))
    assert (reply.status, reply.json["model"]) == (200, "gpt-4o")
    assert set(local.asked) == {"m"}


@pytest.mark.parametrize(("path", "body"), COUNTS.values(), ids=COUNTS)
def test_the_tokens_are_those_of_the_model(path: str, body: dict[str, Any]) -> None:
    local = Local()
    reply = run(local.client.request("POST", path, {"model": "gpt-4o"} | body))
    assert (reply.json["input_tokens"], local.asked) == (7, ["m"])


@pytest.mark.parametrize("headers", [{}, {"anthropic-version": "2023-06-01"}])
def test_aliases_are_listed_and_found(headers: dict[str, str]) -> None:
    local = Local()
    listed = run(local.client.request("GET", "/v1/models", headers=headers)).json["data"]
    assert [row["id"] for row in listed] == ["gpt-4o"]
    one = run(local.client.request("GET", "/v1/models/gpt-4o", headers=headers))
    assert (one.json, local.asked) == (listed[0], ["m"])


def test_the_native_api_has_none() -> None:
    local = Local()
    body = {"model": "gpt-4o", "messages": MESSAGES, "stream": False}
    assert run(local.client.request("POST", "/api/chat", body)).status == 200
    assert local.asked == ["gpt-4o"]
