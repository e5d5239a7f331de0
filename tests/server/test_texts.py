"""The routes of texts: their forms, their aliases, their errors."""

from __future__ import annotations

import pytest

from puna.api.texts import DetokenizeRequest, RerankRequest, TokenizeRequest
from puna.service.texts import Ranked
from tests.server.scripted import client, run

BODY = {"model": "m", "query": "q", "documents": ["a", {"text": "b"}]}
RERANKS = ("/v1/rerank", "/rerank", "/api/rerank")


async def _ranked(order: RerankRequest) -> Ranked:
    return Ranked([(1, 0.75), (0, 0.25)], ("a", "b"), 9)


@pytest.mark.parametrize("path", RERANKS)
def test_reranking(path: str) -> None:
    reply = run(client(rerank=_ranked).request("POST", path, BODY))
    assert (reply.status, reply.json) == (
        200,
        {
            "model": "m",
            "object": "list",
            "results": [
                {"index": 1, "relevance_score": 0.75},
                {"index": 0, "relevance_score": 0.25},
            ],
            "usage": {"prompt_tokens": 9, "total_tokens": 9},
        },
    )


def test_documents_come_back_when_asked_for() -> None:
    reply = run(
        client(rerank=_ranked).request("POST", "/rerank", BODY | {"return_documents": True})
    )
    assert [each["document"] for each in reply.json["results"]] == [{"text": "b"}, {"text": "a"}]


def test_tokens_and_back() -> None:
    async def tokens(order: TokenizeRequest) -> list[int]:
        return list(order.text.encode())

    async def text(order: DetokenizeRequest) -> str:
        return bytes(order.tokens).decode()

    there = run(
        client(tokenize=tokens).request("POST", "/api/tokenize", {"model": "m", "text": "hi"})
    )
    assert there.json == {"tokens": [104, 105]}
    back = run(
        client(detokenize=text).request("POST", "/api/detokenize", {"model": "m"} | there.json)
    )
    assert back.json == {"text": "hi"}


@pytest.mark.parametrize("path", [*RERANKS, "/api/tokenize", "/api/detokenize"])
@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b'{"model":"m"}', 404)])
def test_errors(path: str, body: bytes, status: int) -> None:
    reply = run(client().request("POST", path, body))
    assert reply.status == status
    assert "error" in reply.json


@pytest.mark.parametrize("tokens", [[-1], [2**31], ["1"], [1.5], "1"])
def test_what_is_no_token_is_refused(tokens: object) -> None:
    body = {"model": "m", "tokens": tokens}
    assert run(client().request("POST", "/api/detokenize", body)).status == 400
