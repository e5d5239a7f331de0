"""Servers and models for the end-to-end tests.

Tests that leave loaded models and the settings alone share one server; names they make are their
own. The others start one each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.server import Server, running_server
from tests.fakes.encoders import make_tiny_bert
from tests.fakes.fixtures import stories_gguf
from tests.fakes.ggufs import make_tiny_llama

CHAT_TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
THINKING_TEMPLATE = CHAT_TEMPLATE + (
    "<think>{% if enable_thinking is defined and not enable_thinking %}</think>{% endif %}"
)


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model without a chat template: 512 tokens of context."""
    return make_tiny_llama(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def other_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another random model."""
    return make_tiny_llama(tmp_path_factory.mktemp("gguf") / "other.gguf", seed=1)


@pytest.fixture(scope="session")
def endless_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answers last for minutes unless somebody stops them.

    An answer ends at ten times the context, which here is 320,000 tokens.
    """
    return make_tiny_llama(tmp_path_factory.mktemp("gguf") / "endless.gguf", n_ctx=32768, seed=2)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> Iterator[Server]:
    """The shared server; it has the model `tiny`."""
    with running_server(tmp_path_factory.mktemp("home")) as started:
        started.create("tiny", tiny_gguf)
        yield started


@pytest.fixture(scope="session")
def stories(server: Server) -> str:
    """A trained model on the shared server; skips where there is none."""
    return server.create("stories", stories_gguf())


@pytest.fixture(scope="session")
def chatty(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model with a chat template, a system prompt and an option."""
    path = tmp_path_factory.mktemp("gguf") / "chatty.gguf"
    make_tiny_llama(path, chat_template=CHAT_TEMPLATE)
    return server.create("chatty", path, system="Be kind.", parameters={"num_predict": 5})


@pytest.fixture(scope="session")
def thinker(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model whose template opens the thoughts and which never closes them."""
    path = tmp_path_factory.mktemp("gguf") / "thinker.gguf"
    make_tiny_llama(path, chat_template=THINKING_TEMPLATE)
    return server.create("thinker", path, parameters={"num_predict": 5})


@pytest.fixture(scope="session")
def bert(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model for embeddings only: 64 tokens of context."""
    path = make_tiny_bert(tmp_path_factory.mktemp("gguf") / "bert.gguf", n_ctx=64)
    return server.create("bert", path)


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers of the test's own: `start(OLLAMA_MAX_QUEUE="1")`."""
    with ExitStack() as servers:

        def begin(**variables: str) -> Server:
            home = tmp_path / f"home-{len(list(tmp_path.glob('home-*')))}"
            return servers.enter_context(running_server(home, **variables))

        yield begin
