"""Vectors over HTTP from the real server, with plain HTTP and with the reference's own client."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest
from gguf import PoolingType

from tests.e2e.server import Server, until
from tests.fakes.encoders import BERT_WIDTH
from tests.fakes.ggufs import EMBD, make_tiny_llama

pytestmark = pytest.mark.e2e

TEXTS = ["the cat saw a big red ball", "Lily jumped", "the sun and the moon", ""]


@pytest.fixture
def client(server: Server) -> Iterator[ollama.Client]:
    with ollama.Client(host=server.url, trust_env=False) as started:
        yield started


@pytest.fixture(scope="session")
def pooled(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Llama that is a model for embeddings."""
    path = tmp_path_factory.mktemp("gguf") / "pooled.gguf"
    return server.create("pooled", make_tiny_llama(path, pooling=PoolingType.LAST, seed=5))


def alike(some: list[float], others: list[float]) -> bool:
    """Whether two vectors are one, but for the engine's rounding."""
    return [round(value, 6) for value in some] == pytest.approx(others, abs=1e-2)


@pytest.mark.parametrize(
    ("kind", "width"), [("bert", BERT_WIDTH), ("pooled", EMBD), ("tiny", EMBD)]
)
def test_a_vector_for_each_input(
    request: pytest.FixtureRequest, server: Server, kind: str, width: int
) -> None:
    """71, 74: models for embeddings, and one that generates."""
    model = kind if kind == "tiny" else request.getfixturevalue(kind)
    answer = server.post("/api/embed", model=model, input=TEXTS)
    assert answer.status == 200, answer.body
    reply = answer.json
    assert list(reply) == [
        "model",
        "embeddings",
        "total_duration",
        "load_duration",
        "prompt_eval_count",
    ]
    assert reply["model"] == model
    assert len(reply["embeddings"]) == len(TEXTS)
    for text, vector in zip(TEXTS, reply["embeddings"], strict=True):
        assert len(vector) == width
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
        alone = server.post("/api/embed", model=model, input=[text]).json["embeddings"]
        assert alike(alone[0], vector)
    assert not alike(reply["embeddings"][0], reply["embeddings"][1])
    once = server.post("/api/embed", model=model, input="the cat").json["prompt_eval_count"]
    thrice = server.post("/api/embed", model=model, input=["the cat"] * 3).json
    assert thrice["prompt_eval_count"] == 3 * once


def test_shorter_vectors(server: Server, bert: str) -> None:
    """71"""
    whole = server.post("/api/embed", model=bert, input="the cat").json["embeddings"][0]
    short = server.post("/api/embed", model=bert, input="the cat", dimensions=8).json
    (vector,) = short["embeddings"]
    size = math.hypot(*whole[:8])
    assert vector == pytest.approx([value / size for value in whole[:8]], abs=1e-5)
    ignored = server.post("/api/embed", model=bert, input="the cat", dimensions=BERT_WIDTH).json
    assert ignored["embeddings"] == [whole]


def test_long_inputs_are_cut_unless_that_is_refused(server: Server, bert: str) -> None:
    """72"""
    long = "the cat saw the dog " * 40
    reply = server.post("/api/embed", model=bert, input=[long, "the cat"]).json
    short = server.post("/api/embed", model=bert, input="the cat").json
    assert reply["prompt_eval_count"] == 64 + short["prompt_eval_count"]
    less = server.post("/api/embed", model=bert, input=long, options={"num_ctx": 16}).json
    assert less["prompt_eval_count"] == 16
    refused = server.post("/api/embed", model=bert, input=["the cat", long], truncate=False)
    text = "the input length exceeds the context length"
    assert (refused.status, refused.error) == (400, text)


@pytest.mark.parametrize("nothing", [{}, {"input": None}, {"input": ""}, {"input": []}])
def test_without_input_the_model_is_loaded(
    server: Server, bert: str, nothing: dict[str, object]
) -> None:
    """70, 75"""
    answer = server.post("/api/embed", model=bert, **nothing)
    assert (answer.status, answer.body) == (200, b'{"model":"bert","embeddings":[]}')
    older = server.post("/api/embeddings", model=bert, prompt="")
    assert (older.status, older.body) == (200, b'{"embedding":[]}')
    assert "bert:latest" in server.loaded()


def test_the_older_form(server: Server, bert: str) -> None:
    answer = server.post("/api/embeddings", model=bert, prompt="the cat")
    assert list(answer.json) == ["embedding"]
    raw = answer.json["embedding"]
    size = math.hypot(*raw)
    assert size != pytest.approx(1, abs=1e-2)
    (vector,) = server.post("/api/embed", model=bert, input="the cat").json["embeddings"]
    assert [value / size for value in raw] == pytest.approx(vector, abs=1e-5)


def test_the_official_client(client: ollama.Client, bert: str) -> None:
    reply = client.embed(bert, TEXTS)
    assert (reply.model, len(reply.embeddings)) == (bert, len(TEXTS))
    assert reply.prompt_eval_count is not None
    assert reply.total_duration is not None
    one = client.embed(bert, TEXTS[1], truncate=True, dimensions=5, keep_alive="5m")
    assert len(one.embeddings[0]) == 5
    assert len(client.embeddings(bert, TEXTS[0]).embedding) == BERT_WIDTH
    with pytest.raises(ollama.ResponseError) as caught:
        client.embed("nope", "x")
    text = 'model "nope" not found, try pulling it first'
    assert (caught.value.status_code, caught.value.error) == (404, text)
    assert client.show(bert).capabilities == ["embedding"]


def test_a_client_that_leaves_does_not_keep_the_model_busy(server: Server, tmp_path: Path) -> None:
    path = make_tiny_llama(tmp_path / "slow.gguf", n_ctx=4096, seed=9)
    model = server.create("slow", path)  # loaded by the request that is left, not before
    texts = ["the cat saw a big red ball " * 300] * 500
    with server.sent("/api/embed", model=model, input=texts, keep_alive=0):
        until(lambda: "slow:latest" in server.loaded(), "the model is loaded")
    until(lambda: "slow:latest" not in server.loaded(), "the work ends and the model goes")
