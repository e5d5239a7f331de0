"""A model made where one of its name is, or where a file of it is lost."""

from __future__ import annotations

from pathlib import Path

from puna.models.digest import Digest
from tests.models.golden import GGUF, GGUF_DIGEST
from tests.service.world import JINJA, World, complaint, play, sha


def test_superseded_layers_go(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("a", GGUF, system="shared", template="old", parameters={"top_k": 1})
        await w.create("b", **{"from": "a"}, template="other", parameters={"top_k": 2})
        await w.create("a", **{"from": "a"}, template="new", system="mine")
        names = {path.removeprefix("blobs/sha256-") for path in w.files() if "blobs/" in path}
        assert sha("old") not in names
        assert {sha("shared"), sha("other"), sha("new"), sha("mine")} <= names

    play(tmp_path, scene, None)


def test_or_stay_where_nothing_is_pruned(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("a", GGUF, system="old")
        await w.create("a", **{"from": "a"}, system="new")
        assert f"blobs/sha256-{sha('old')}" in w.files()

    play(tmp_path, scene, None, no_prune=True)


def test_a_failed_attempt_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        await complaint(w.create("m", **{"from": "m"}, system="x", info={"base_name": 5}))
        assert w.files() == before
        assert (await w.show(model="m")).template == JINJA

    play(tmp_path, scene)


def test_a_damaged_model_is_replaced(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        path = w.root / "manifests/registry.ollama.ai/library/m/latest"
        path.write_bytes(b"{")
        await w.install("m", GGUF)
        assert w.layers() == {"model": [GGUF_DIGEST.hex]}

    play(tmp_path, scene)


def test_a_parent_that_lost_a_file(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        (digest,) = w.layers()["model"]
        w.library.blobs.path(Digest(digest)).unlink()
        before = w.files()
        assert (await complaint(w.create("child", **{"from": "m"})))[0] == 500
        assert w.files() == before

    play(tmp_path, scene)
