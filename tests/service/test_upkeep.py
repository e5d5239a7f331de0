"""Pruning and verifying: nothing that is needed or in use goes, and damage is found and named."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from puna.api.decode import read_value
from puna.api.events import Progress
from puna.api.upkeep import PruneRequest, Verified, VerifyRequest
from puna.models.digest import Digest
from puna.models.name import Name
from tests.service.world import World, complaint, play, tiny

ORPHAN = b"orphan" * 1000
BLOB = Digest.of(ORPHAN).file_name
DIGEST = str(Digest.of(ORPHAN))


async def prune(w: World, **fields: Any) -> list[str]:
    """Prune and return the names of what went."""
    response = await w.upkeep.prune(read_value(PruneRequest, fields))
    return [file.name for file in response.files]


async def verify(w: World, *models: str, **fields: Any) -> Sequence[Progress | Verified]:
    order = read_value(VerifyRequest, {"models": list(models), **fields})
    return [step async for step in w.upkeep.verify(order)]


def verdicts(steps: Sequence[Progress | Verified]) -> dict[str, list[str]]:
    """Model to what is wrong with it."""
    return {
        step.model: [fault.problem for fault in step.faults]
        for step in steps
        if isinstance(step, Verified)
    }


def weights(w: World, model: str = "m") -> Path:
    return w.library.blobs.path(Digest(w.layers(model)["model"][0]))


def test_what_no_model_needs_goes(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        await w.upload(ORPHAN)
        assert await prune(w, dry_run=True) == [BLOB]
        assert await prune(w, older_than=10 * 86_400) == []
        assert BLOB in " ".join(w.files())
        assert await prune(w) == [BLOB]
        assert w.files() == before

    play(tmp_path, scene)


def test_a_running_model_keeps_its_blobs(tmp_path: Path) -> None:
    """With OLLAMA_NOPRUNE a model may be replaced while its old weights are loaded."""

    async def scene(w: World) -> None:
        await w.generate(prompt="x")
        old = weights(w).name
        await w.install("m", tiny(n_ctx=9))
        assert weights(w).name != old
        assert old not in await prune(w, older_than=0)
        assert old in " ".join(w.files())

    play(tmp_path, scene, no_prune=True)


def test_a_damaged_manifest_stops_pruning_with_an_error(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.upload(ORPHAN)
        w.library.read(Name.parse("m")).path.write_bytes(b"")
        status, text = await complaint(prune(w))
        assert status == 500
        assert text.startswith("nothing is pruned, not every manifest under ")
        assert BLOB in " ".join(w.files())

    play(tmp_path, scene)


@pytest.mark.parametrize("seconds", [-1, 1e400])
def test_ages_that_are_none(tmp_path: Path, seconds: float) -> None:
    async def scene(w: World) -> None:
        assert (await complaint(prune(w, older_than=seconds)))[0] == 400

    play(tmp_path, scene)


def test_undamaged_models(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        await w.create("child", **{"from": "m"}, system="brief")
        steps = await verify(w)
        assert verdicts(steps) == {"m:latest": [], "child:latest": []}
        assert steps[-1] == Progress(status="success")
        digests = [step.digest for step in steps if isinstance(step, Progress) and step.digest]
        read = [digest for digest in digests if digests.count(digest) != 2]
        assert read == [], "every blob is announced, and read once"
        await w.delete(model="child")
        assert w.files() == before

    play(tmp_path, scene)


def spoil(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


DAMAGE = {
    "one bit": (spoil, "its content is not what was stored"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-5]), "it has "),
    "gone": (lambda path: path.unlink(), "it is missing"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "it cannot be read: "),
}


@pytest.mark.parametrize(("damage", "problem"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found_and_can_be_repaired(tmp_path: Path, damage: Any, problem: str) -> None:
    async def scene(w: World) -> None:
        raw = weights(w).read_bytes()
        await w.create("child", **{"from": "m"}, system="brief")
        await w.install("other", tiny(n_ctx=9))
        damage(weights(w))
        found = verdicts(await verify(w))
        assert found["other:latest"] == []
        assert [text.startswith(problem) for text in found["m:latest"]] == [True]
        assert found["child:latest"] == found["m:latest"]
        assert list(verdicts(await verify(w, "OTHER"))) == ["other:latest"]
        if weights(w).is_dir():
            return
        steps = await verify(w, "m", remove_damaged=True)
        assert [step.removed for step in steps if isinstance(step, Verified)] == [True]
        assert not weights(w).exists()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        assert await w.upload(raw) == digest
        assert set(map(len, verdicts(await verify(w)).values())) == {0}

    play(tmp_path, scene)


def test_a_damaged_manifest_is_named_and_hides_nothing(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.copy("m", "bad")
        w.library.read(Name.parse("bad")).path.write_bytes(b"{")
        found = verdicts(await verify(w))
        assert found["m:latest"] == []
        assert found["bad:latest"][0].startswith("its manifest cannot be read: ")

    play(tmp_path, scene)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert await complaint(verify(w, "m", "nope")) == (404, "model 'nope' not found")
        assert (await complaint(verify(w, "b ad")))[0] == 400

    play(tmp_path, scene)
