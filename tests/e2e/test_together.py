"""Many requests at once get the answers they would get alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.e2e.conftest import Start
from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

PROMPTS = [
    "Once upon a time",
    "Lily and Tom",
    "The dog",
    "One day a boy",
    "In the park",
    "A bird",
    "Mom said",
    "The sun was",
]


def ask_all(server: Server, model: str, prompts: list[str], num_predict: int) -> list[str]:
    """Stream an answer to every prompt, all begun at the same moment."""
    gate = Barrier(len(prompts))
    options = {"temperature": 0, "num_predict": num_predict}

    def ask(prompt: str) -> str:
        gate.wait()
        fields = {"model": model, "prompt": prompt, "options": options}
        with server.stream("/api/generate", **fields) as stream:
            pieces = list(stream)
        assert pieces[-1]["done"], pieces[-1]
        assert len(pieces) > 5
        return "".join(piece["response"] for piece in pieces)

    with ThreadPoolExecutor(len(prompts)) as pool:
        return list(pool.map(ask, prompts))


def test_a_trained_model(server: Server, stories: str) -> None:
    alone = [ask_all(server, stories, [prompt], 40)[0] for prompt in PROMPTS]
    assert len(set(alone)) == len(PROMPTS)
    assert ask_all(server, stories, PROMPTS, 40) == alone


def test_a_random_model(start: Start, tiny_gguf: Path) -> None:
    """A random model has near ties, which half precision decides by the batch's shape."""
    server = start(OLLAMA_KV_CACHE_TYPE="f32", OLLAMA_FLASH_ATTENTION="0")
    server.create("tiny", tiny_gguf)
    alone = [ask_all(server, "tiny", [prompt], 40)[0] for prompt in PROMPTS]
    assert len(set(alone)) == len(PROMPTS)
    assert ask_all(server, "tiny", PROMPTS, 40) == alone


def test_more_than_the_pool_holds(start: Start, tiny_gguf: Path) -> None:
    """Eight answers need 1,200 cells of the 512 that there are: some step back and go on later."""
    server = start(OLLAMA_KV_CACHE_TYPE="f32", OLLAMA_FLASH_ATTENTION="0")
    server.create("tiny", tiny_gguf)
    alone = [ask_all(server, "tiny", [prompt], 140)[0] for prompt in PROMPTS]
    assert ask_all(server, "tiny", PROMPTS, 140) == alone


def test_models_at_the_same_time(start: Start, tiny_gguf: Path, other_gguf: Path) -> None:
    server = start()
    names = [server.create("tiny", tiny_gguf), server.create("other", other_gguf)]

    def ask(name: str) -> str:
        return server.generate(name, "the dog", options={"num_predict": 30})

    alone = [ask(name) for name in names]
    assert alone[0] != alone[1]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, names)) == alone
    assert sorted(server.loaded()) == ["other:latest", "tiny:latest"]
    assert len(server.runners()) == 2
    for runner in server.runners():
        told = Path(f"/proc/{runner}/environ").read_bytes()
        assert b"GOMP_SPINCOUNT=" in told
        assert b"GLIBC_TUNABLES=" in told


def test_a_cold_model_is_loaded_once(start: Start, tiny_gguf: Path) -> None:
    server = start()
    server.create("tiny", tiny_gguf)
    ask_all(server, "tiny", PROMPTS, 10)
    assert len(server.runners()) == 1
    assert server.log.count("loading ") == 1
