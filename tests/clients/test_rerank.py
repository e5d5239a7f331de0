"""Reranking, through LiteLLM's clients of those who thought of the form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import Server
from tests.fakes.encoders import make_tiny_reranker

litellm = pytest.importorskip("litellm")

pytestmark = pytest.mark.clients

DOCUMENTS = ["the cat saw a big red ball", "Lily jumped", "the sun and the moon"]
VENDORS = {"jina_ai": "/v1/rerank", "cohere": "/v2/rerank", "hosted_vllm": "/v1/rerank"}


@pytest.fixture(scope="module")
def reranker(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random model with a classification head."""
    path: Path = tmp_path_factory.mktemp("gguf") / "reranker.gguf"
    make_tiny_reranker(path, labels=1)
    return server.create("reranker", path)


def rank(server: Server, vendor: str, model: str, **fields: Any) -> Any:
    return litellm.rerank(
        model=f"{vendor}/{model}",
        query="the cat",
        documents=DOCUMENTS,
        api_base=server.url + VENDORS[vendor],
        api_key="none",
        **fields,
    )


@pytest.mark.parametrize("vendor", VENDORS)
def test_documents_are_sorted(server: Server, reranker: str, vendor: str) -> None:
    results = rank(server, vendor, reranker, top_n=3).results
    assert sorted(each["index"] for each in results) == [0, 1, 2]
    scores = [each["relevance_score"] for each in results]
    assert scores == sorted(scores, reverse=True)


def test_the_best_come_with_their_texts(server: Server, reranker: str) -> None:
    (best,) = rank(server, "jina_ai", reranker, top_n=1, return_documents=True).results
    assert best["document"]["text"] == DOCUMENTS[best["index"]]
