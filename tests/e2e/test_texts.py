"""Reranking and tokens over HTTP, from the real server with real tiny models."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.server import Server
from tests.fakes.encoders import make_tiny_reranker

pytestmark = pytest.mark.e2e

DOCUMENTS = ["the cat saw a big red ball", "Lily jumped", "the sun and the moon"]


@pytest.fixture(scope="module", params=[1, 2], ids=["one score", "two scores"])
def reranker(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A random model with a classification head."""
    path = tmp_path_factory.mktemp("gguf") / "reranker.gguf"
    make_tiny_reranker(path, labels=request.param)
    return server.create(f"reranker{request.param}", path)


def ranked(server: Server, model: str, **fields: object) -> Any:
    body = {"model": model, "query": "the cat", "documents": DOCUMENTS, **fields}
    answer = server.request("POST", "/v1/rerank", body)
    assert answer.status == 200, answer.body
    return answer.json


def test_documents_are_sorted(server: Server, reranker: str) -> None:
    reply = ranked(server, reranker, return_documents=True)
    scores = [each["relevance_score"] for each in reply["results"]]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3
    assert sorted(each["index"] for each in reply["results"]) == [0, 1, 2]
    for each in reply["results"]:
        assert each["document"] == {"text": DOCUMENTS[each["index"]]}
    assert reply["usage"]["total_tokens"] > 20
    (best,) = ranked(server, reranker, top_n=1)["results"]
    assert best["index"] == reply["results"][0]["index"]


def test_one_score_is_a_probability(server: Server, reranker: str) -> None:
    if reranker == "reranker1":
        scores = [each["relevance_score"] for each in ranked(server, reranker)["results"]]
        assert all(0 < score < 1 for score in scores)


REFUSED: dict[str, tuple[dict[str, object], int, str]] = {
    "no query": ({"query": ""}, 400, "query is required"),
    "no documents": ({"documents": []}, 400, "documents must be a list"),
    "documents of another type": ({"documents": "a"}, 400, "documents must be a list"),
    "a document of another type": ({"documents": [5]}, 400, "a document must be a text"),
    "nothing to return": ({"top_n": 0}, 400, "top_n must be at least 1"),
    "no model": ({"model": ""}, 400, "model is required"),
    "a model that is not there": ({"model": "nobody"}, 404, "model 'nobody' not found"),
    "a model that cannot": ({}, 400, "rerank"),
}


@pytest.mark.parametrize(("fields", "status", "words"), REFUSED.values(), ids=REFUSED)
def test_refusals(server: Server, fields: dict[str, object], status: int, words: str) -> None:
    body = {"model": "tiny", "query": "q", "documents": ["a"], **fields}
    answer = server.request("POST", "/api/rerank", body)
    assert (answer.status, words in answer.error) == (status, True), answer.body


def test_tokens_and_back(server: Server) -> None:
    text = "Once upon a time: ünïcödé"
    tokens = server.post("/api/tokenize", model="tiny", text=text).json["tokens"]
    assert len(tokens) > 3
    assert all(isinstance(token, int) for token in tokens)
    back = server.post("/api/detokenize", model="tiny", tokens=tokens).json["text"]
    assert back.strip() == text
    assert server.post("/api/tokenize", model="tiny", text="").json == {"tokens": []}


def test_a_text_of_more_characters_than_tokens_are_told_of(server: Server) -> None:
    answer = server.post("/api/tokenize", model="tiny", text="a" * (2**20 + 1))
    assert (answer.status, answer.error) == (400, "text has more than 1048576 characters")


def test_a_token_that_the_model_does_not_have(server: Server) -> None:
    answer = server.post("/api/detokenize", model="tiny", tokens=[2**30])
    assert answer.status == 400
    assert answer.error
