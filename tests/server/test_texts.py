"""The routes of texts: their forms, their aliases, their errors."""

from __future__ import annotations

import pytest

from puna.api.texts import DetokenizeRequest, RerankRequest, TokenizeRequest
from puna.service.texts import Ranked, read_documents
from tests.server.scripted import client, run

BODY = {"model": "m", "query": "q", "documents": ["a", {"text": "b"}]}
RERANKS = (
    "/v1/rerank",
    "/v2/rerank",
    "/v1/reranking",
    "/rerank",
    "/reranking",
    "/api/rerank",
)


async def _ranked(order: RerankRequest) -> Ranked:
    return Ranked([(1, 0.75), (0, 0.25)], ("a", "b"), 9)


@pytest.mark.parametrize("path", RERANKS)
def test_reranking(path: str) -> None:
    reply = run(client(rerank=_ranked).request("POST", path, BODY))
    body = reply.json
    assert body.pop("id").startswith("rerank-")
    assert (reply.status, body) == (
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


REQUESTS: dict[str, dict[str, object]] = {
    "Jina": {"model": "m", "query": "q", "documents": ["a", "b"], "top_n": 2, "truncation": True},
    "Jina, objects": {"model": "m", "query": "q", "documents": [{"text": "a"}, {"text": "b"}]},
    "Cohere, version 1": {
        "model": "m",
        "query": "q",
        "documents": ["a", "b"],
        "max_chunks_per_doc": 5,
    },
    "Cohere, version 2": {"model": "m", "query": "q", "documents": ["a"], "max_tokens_per_doc": 9},
}


@pytest.mark.parametrize("body", REQUESTS.values(), ids=REQUESTS)
def test_what_clients_send(body: dict[str, object]) -> None:
    """Members that mean nothing here are let be; documents go on as texts."""
    heard: list[RerankRequest] = []

    async def rank(order: RerankRequest) -> Ranked:
        heard.append(order)
        return await _ranked(order)

    assert run(client(rerank=rank).request("POST", "/v1/rerank", body)).status == 200
    (order,) = heard
    assert (order.model, order.query, order.top_n) == ("m", "q", body.get("top_n"))
    assert read_documents(order.documents) == ("a", "b")[: len(order.documents)]


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
