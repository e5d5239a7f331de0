"""Updating models: what has changed is pulled, and what was made here is never replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from puna.models.digest import Digest
from puna.models.name import Name
from tests.fakes.faulty_registry import Fault, FaultyRegistry
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.hub import fake_hub
from tests.fakes.registry_client import PackedModel, pack_model
from tests.service.pulling import Puller, play
from tests.service.test_push import install
from tests.service.world import complaint

OLD = pack_model(("model", b"old"), ("license", b"MIT"))
NEW = pack_model(("model", b"new"), ("license", b"MIT"))


def digest(model: PackedModel) -> str:
    return Digest.of(model.raw).hex


def told(place: Puller, name: str) -> str:
    """The digest of what is installed."""
    return place.library.read(Name.parse(name)).digest


def test_what_has_changed_is_pulled(registry: FaultyRegistry, tmp_path: Path) -> None:
    names = [registry.add(f"library/{model}", OLD) for model in ("changed", "same")]

    async def scene(place: Puller) -> None:
        for name in names:
            await place.pull(name)
        registry.add("library/changed", NEW)
        before = len(registry.requests("blobs"))
        updates = await place.update()
        changed, same = (updates[name] for name in names)
        assert (changed.status, changed.before, changed.after) == (
            "updated",
            digest(OLD),
            digest(NEW),
        )
        assert (same.status, same.after) == ("current", digest(OLD))
        assert len(registry.requests("blobs")) == before + 1
        assert told(place, names[0]) == digest(NEW)
        assert (await place.update(names[0]))[names[0]].status == "current"

    play(tmp_path, scene)


def test_a_dry_run_changes_nothing(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", OLD)

    async def scene(place: Puller) -> None:
        await place.pull(name)
        registry.add("library/m", NEW)
        update = (await place.update(name, dry_run=True))[name]
        assert (update.status, update.after) == ("outdated", digest(NEW))
        assert told(place, name) == digest(OLD)

    play(tmp_path, scene)


def test_what_was_made_here_stays(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", NEW)

    async def scene(place: Puller) -> None:
        install(place.library, name, b"mine")
        update = (await place.update(name, insecure=True))[name]
        assert (update.status, update.reason) == ("skipped", "made on this machine")
        assert registry.seen == []

    play(tmp_path, scene)


def test_what_was_changed_here_stays(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", OLD)

    async def scene(place: Puller) -> None:
        await place.pull(name)
        registry.add("library/m", NEW)
        install(place.library, name, b"mine")
        update = (await place.update(name))[name]
        assert (update.status, update.reason) == ("skipped", "changed on this machine")

    play(tmp_path, scene)


def test_what_was_pushed_follows_its_registry(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/library/m:latest"

    async def scene(place: Puller) -> None:
        install(place.library, name, b"mine")
        await place.push(name)
        assert (await place.update(name))[name].status == "current"
        registry.add("library/m", NEW)
        assert (await place.update(name))[name].status == "updated"

    play(tmp_path, scene)


def test_what_the_reference_pulled_is_known_by_its_manifest(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = registry.add("library/m", OLD)

    async def scene(place: Puller) -> None:
        await place.pull(name)
        shutil.rmtree(place.library.root / ".puna.origins")
        registry.add("library/m", NEW)
        assert (await place.update(name, insecure=True))[name].status == "updated"

    play(tmp_path, scene)


def test_another_program_updates_its_own(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", OLD)

    async def scene(place: Puller) -> None:
        await place.pull(name)
        place.library.root.rename(tmp_path / "second")
        registry.add("library/m", NEW)
        update = (await place.update())[name]
        assert (update.status, update.reason) == ("skipped", "belongs to another program")

    play(tmp_path, scene)


def test_one_that_fails_does_not_hold_up_the_others(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    names = [registry.add(f"library/{model}", OLD) for model in ("a", "b", "c")]

    async def scene(place: Puller) -> None:
        for name in names:
            await place.pull(name)
        registry.add("library/c", NEW)
        del registry.models["library/b:latest"]
        registry.faults["manifest"] = [Fault("status", status=403, body=b"no")]
        updates = await place.update()
        assert [updates[name].status for name in names] == ["failed", "skipped", "updated"]
        assert updates[names[0]].reason == "403: no"
        assert updates[names[1]].reason == f"{registry.address} does not have it"

    play(tmp_path, scene)


def test_a_note_goes_with_its_model(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", OLD)

    async def scene(place: Puller) -> None:
        await place.pull(name)
        assert place.library.origins.find(Name.parse(name)) is not None
        place.library.delete(Name.parse(name))
        assert place.library.origins.find(Name.parse(name)) is None

    play(tmp_path, scene)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"digest":1,"registry":2,"verify":3}'])
def test_a_damaged_note_counts_as_none(
    registry: FaultyRegistry, tmp_path: Path, raw: bytes
) -> None:
    name = registry.add("library/m", OLD)

    async def scene(place: Puller) -> None:
        await place.pull(name)
        (note,) = (
            path for path in place.library.root.rglob(".puna.origins/**/*") if path.is_file()
        )
        note.write_bytes(raw)
        assert place.library.origins.find(Name.parse(name)) is None

    play(tmp_path, scene)


def test_what_is_not_installed(tmp_path: Path) -> None:
    async def scene(place: Puller) -> None:
        assert await complaint(place.update("nothing")) == (404, "model 'nothing' not found")

    play(tmp_path, scene)


def test_a_model_of_the_hub_follows_its_repository(tmp_path: Path) -> None:
    name = "hf.co/org/tiny-GGUF:latest"
    weights = make_tiny_llama(tmp_path / "tiny.gguf").read_bytes()

    with fake_hub() as hub:
        files = {"tiny-Q4_K_M.gguf": weights, "system": b"Be kind.", "params": b'{"top_k":1}'}
        hub.add("org/tiny-GGUF", files)

        async def scene(place: Puller) -> None:
            await place.pull(name, insecure=False)
            old = told(place, name)
            assert (await place.update())[name].status == "current"
            for changed in ({"system": b"Be brief."}, {"params": b'{"top_k":2}'}):
                files.update(changed)
                assert (await place.update(dry_run=True))[name].status == "outdated"
                update = (await place.update())[name]
                assert (update.status, update.before) == ("updated", old)
                old = told(place, name)
                assert update.after == old

        play(tmp_path, scene, hf_endpoint=hub.url)
