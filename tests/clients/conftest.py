"""A server with the model that comes with Puna, for clients of others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from puna.service.bundled import BUNDLED
from tests.clients.node import MODULES
from tests.e2e.server import Server, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server; it has the model `cria`, which calls tools and thinks."""
    if not (BUNDLED / "cria").is_dir():
        pytest.skip("the package brings no cria")
    with running_server(tmp_path_factory.mktemp("home"), OLLAMA_KEEP_ALIVE="1h") as started:
        assert started.post("/api/pull", model="cria", stream=False).status == 200
        yield started


@pytest.fixture
def url(server: Server) -> str:
    """Where the server is: no slash at its end."""
    return server.url


@pytest.fixture(scope="session")
def node_modules() -> None:
    """Skips where the packages of package.json are not installed."""
    if not MODULES.is_dir():
        pytest.skip(f"no packages in {MODULES}: make test-clients installs them")
