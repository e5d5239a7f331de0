"""Pruning while models are pulled and pushed: nothing that they work with goes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from puna.models.library import Library
from puna.models.name import Name
from tests.fakes.faulty_registry import Fault, FaultyRegistry
from tests.fakes.registry_client import digest_of, pack_model
from tests.service.pulling import PART, UNIT, Puller, play, until
from tests.service.test_push import install

WEIGHTS = bytes(range(256)) * (64 * UNIT // 256)
ORPHAN = b"nobody's"
IN_A_YEAR = 365 * 86_400


def prune_all(library: Library) -> None:
    """Prune as in a year, when the age of a file protects nothing; what nobody uses must go."""
    orphan = library.blobs.add(ORPHAN).digest
    garbage = library.prune(time.time() + IN_A_YEAR, 0)
    assert list(garbage.files) == [orphan.file_name]


def test_a_pull_keeps_its_download_and_what_it_has_fetched(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = registry.add("library/m", pack_model(("license", b"MIT" * 999), ("model", WEIGHTS)))
    small_blob_is_served_well = Fault("trickle", after=4 * UNIT)
    registry.faults["blob"] = [small_blob_is_served_well, *[Fault("hold", after=4 * UNIT)] * 4]

    async def scene(place: Puller) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(place.pull(name))
            await until(lambda: registry.sent[digest_of(WEIGHTS)] >= 16 * UNIT)
            await asyncio.to_thread(prune_all, place.library)
            registry.gate.set()
        assert registry.sent[digest_of(WEIGHTS)] < 1.5 * len(WEIGHTS)
        assert place.library.names() == [Name.parse(name)]

    play(tmp_path, scene)


def test_a_push_keeps_the_blobs_of_a_model_that_is_deleted(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = f"{registry.address}/me/m"
    registry.faults["part"] = [Fault("hold")]

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(place.push(name))
            await until(lambda: registry.received >= PART)
            place.library.delete(Name.parse(name))
            await asyncio.to_thread(prune_all, place.library)
            registry.gate.set()
        assert registry.blobs[digest_of(WEIGHTS)] == WEIGHTS
        assert set(registry.models) == {"me/m:latest"}

    play(tmp_path, scene)
