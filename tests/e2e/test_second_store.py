"""The store of another program, used by a real server through every command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import puna
from tests.e2e.server import Server, digest_of, running_server
from tests.fakes.stores import read_only

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> Path:
    """A HOME whose `.ollama/models` holds the model `lent` and a broken manifest."""
    home = tmp_path_factory.mktemp("theirs")
    store = home / ".ollama" / "models"
    with running_server(home, OLLAMA_MODELS=str(store)) as server:
        server.create("lent", tiny_gguf, parameters={"num_predict": 4})
    (store / "manifests/registry.ollama.ai/library/broken").mkdir()
    (store / "manifests/registry.ollama.ai/library/broken/latest").write_bytes(b"")
    return home


@pytest.fixture
def server(theirs: Path) -> Iterator[Server]:
    """A server with an empty store of its own whose user has that HOME."""
    with (
        read_only(theirs / ".ollama"),
        running_server(theirs, OLLAMA_MODELS=str(theirs / "ours")) as started,
    ):
        yield started


def names(server: Server) -> list[str]:
    return [model["name"] for model in server.get("/api/tags").json["models"]]


def test_lent_models_serve_every_command(server: Server, tiny_gguf: Path) -> None:
    blob = digest_of(tiny_gguf.read_bytes()).replace(":", "-")
    assert names(server) == ["lent:latest"]
    text = server.generate("lent", "the dog")
    assert f"models/blobs/{blob}" in puna("show", "lent", "--modelfile", env=server.env).stdout
    refused = server.request("DELETE", "/api/delete", {"model": "lent"})
    assert (refused.status, ".ollama/models, which is only read" in refused.error) == (403, True)
    assert "only read" in puna("rm", "lent", env=server.env).stderr
    assert server.files() == set()

    done = puna("cp", "lent", "mine", env=server.env)
    assert done.returncode == 0, done.stderr
    assert server.generate("mine", "the dog") == text
    created = server.post("/api/create", model="child", **{"from": "lent"}, system="Be kind.")
    assert created.lines[-1] == {"status": "success"}
    assert server.generate("child", "the dog", raw=True) == server.generate(
        "lent", "the dog", raw=True
    )
    assert sorted(names(server)) == ["child:latest", "lent:latest", "mine:latest"]
    for name in ("mine", "child"):
        assert server.request("DELETE", "/api/delete", {"model": name}).status == 200
    assert server.files() == set()
    assert names(server) == ["lent:latest"]


def test_a_blob_that_the_second_store_has_need_not_be_sent(server: Server, tiny_gguf: Path) -> None:
    digest = digest_of(tiny_gguf.read_bytes())
    assert server.request("HEAD", f"/api/blobs/{digest}").status == 200
    created = server.post("/api/create", model="again", files={"a.gguf": digest})
    assert created.lines[-1] == {"status": "success"}
    assert f"blobs/{digest.replace(':', '-')}" in server.files()
    server.request("DELETE", "/api/delete", {"model": "again"})


def test_the_second_store_can_be_switched_off_or_named(theirs: Path, tmp_path: Path) -> None:
    for value, expected in (("off", []), (str(theirs / ".ollama/models"), ["lent:latest"])):
        home = tmp_path / f"home-{len(expected)}"
        with running_server(home, PUNA_SECOND_STORE=value) as server:
            assert names(server) == expected
