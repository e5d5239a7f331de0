"""Pulls that are left and taken up again, that share a transfer, and that find a download begun."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path

import pytest

from puna.models.name import Name
from tests.fakes.faulty_registry import Fault, FaultyRegistry, faulty_registry
from tests.service.pulling import (
    LARGE,
    LARGE_DIGEST,
    PARTIAL,
    SMALL,
    UNIT,
    WEIGHTS,
    Puller,
    asked_units,
    noted_units,
    play,
    puller,
    until,
    verify,
)
from tests.service.world import complaint


def test_who_leaves_keeps_what_came(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", LARGE)
    registry.faults["blob"] = [Fault("hold", after=5 * UNIT + 17)] * 4

    async def scene(place: Puller) -> None:
        async with aclosing(place.start(name)) as steps:
            async for step in steps:
                if step.completed > 20 * UNIT:
                    break
        assert place.files == {PARTIAL, f"{PARTIAL}.units"}
        noted = noted_units(place.library, WEIGHTS)
        assert len(noted) >= 20
        registry.seen.clear()
        await place.pull(name)
        assert asked_units(registry.requests(LARGE_DIGEST)) == set(range(100)) - noted

    play(tmp_path, scene)


def test_two_pulls_share_a_transfer(registry: FaultyRegistry, tmp_path: Path) -> None:
    one = registry.add("library/one", LARGE)
    two = registry.add("library/two", LARGE)
    registry.faults["blob"] = [Fault("hold", after=1000)]

    async def scene(place: Puller) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(place.pull(one))
            await until(lambda: bool(registry.sent[LARGE_DIGEST]))
            tasks.create_task(place.pull(two))
            await until(lambda: len(registry.requests("manifests")) == 2)
            await asyncio.sleep(0.1)
            registry.gate.set()
        assert len(WEIGHTS) <= registry.sent[LARGE_DIGEST] < 1.5 * len(WEIGHTS)
        assert len(place.library.names()) == 2

    play(tmp_path, scene)


def test_the_transfer_goes_on_while_anybody_wants_it(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    one = registry.add("library/one", LARGE)
    two = registry.add("library/two", LARGE)
    registry.faults["blob"] = [Fault("hold", after=1000)]

    async def scene(place: Puller) -> None:
        async with aclosing(place.start(one)) as first, asyncio.TaskGroup() as tasks:
            async for step in first:
                if step.completed:
                    break
            tasks.create_task(place.pull(two))
            await until(lambda: len(registry.requests("manifests")) == 2)
            await asyncio.sleep(0.1)
            await first.aclose()
            registry.gate.set()
        assert len(WEIGHTS) <= registry.sent[LARGE_DIGEST] < 1.5 * len(WEIGHTS)
        assert [name.model for name in place.library.names()] == ["two"]

    play(tmp_path, scene)


def test_anothers_failure_is_not_ours(registry: FaultyRegistry, tmp_path: Path) -> None:
    """The first pull's registry breaks down; the second, which shared its transfer, goes on at
    its own.
    """
    one = registry.add("library/one", LARGE)
    with faulty_registry() as other:
        two = other.add("library/two", LARGE)
        registry.faults["blob"] = [Fault("hold", after=1000), *[Fault("reset")] * 1000]

        async def scene(place: Puller) -> None:
            async with asyncio.TaskGroup() as tasks:
                failing = tasks.create_task(complaint(place.pull(one)))
                await until(lambda: bool(registry.sent[LARGE_DIGEST]))
                tasks.create_task(place.pull(two))
                await until(lambda: bool(other.requests("manifests")))
            assert failing.result()[1].startswith("max retries exceeded")
            assert place.library.names() == [Name.parse(two)]

        play(tmp_path, scene)


def test_deleting_another_model_takes_nothing_from_a_pull(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    one = registry.add("library/one", SMALL)
    two = registry.add("library/two", SMALL)

    async def scene(place: Puller) -> None:
        await place.pull(one)
        async for step in place.start(two):
            if step.status == "verifying sha256 digest":
                place.library.delete(Name.parse(one))
        verify(place.library)
        assert place.library.names() == [Name.parse(two)]

    play(tmp_path, scene)


def test_two_servers_take_turns_with_a_blob(registry: FaultyRegistry, tmp_path: Path) -> None:
    """Transfers of two processes know nothing of each other but the lock on the file."""
    name = registry.add("library/m", LARGE)
    registry.faults["blob"] = [Fault("hold", after=1000)]

    async def scene(place: Puller) -> None:
        async with puller(tmp_path) as other, asyncio.TaskGroup() as tasks:
            tasks.create_task(place.pull(name))
            await until(lambda: bool(registry.sent[LARGE_DIGEST]))
            tasks.create_task(other.pull(name))
            await until(lambda: len(registry.requests("manifests")) == 2)
            await asyncio.sleep(0.3)
            registry.gate.set()
        assert len(WEIGHTS) <= registry.sent[LARGE_DIGEST] < 1.5 * len(WEIGHTS)
        assert len(place.library.names()) == 1

    play(tmp_path, scene)


@pytest.mark.parametrize("is_damaged", [False, True], ids=["sound", "damaged"])
def test_a_download_of_the_reference_goes_on(
    registry: FaultyRegistry, tmp_path: Path, is_damaged: bool
) -> None:
    name = registry.add("library/m", LARGE)
    part = len(WEIGHTS) // 4 + 1
    sizes = [min(part, len(WEIGHTS) - at * part) for at in range(4)]

    async def scene(place: Puller) -> None:
        folder = place.library.blobs.folder
        folder.mkdir(parents=True)
        data = bytes(part) if is_damaged else WEIGHTS[:part]
        (folder / PARTIAL).write_bytes(data + WEIGHTS[part : 2 * part] + bytes(sum(sizes[2:])))
        for at, size in enumerate(sizes):
            state = {"N": at, "Offset": at * part, "Size": size, "Completed": size * (at < 2)}
            (folder / f"{PARTIAL}-{at}").write_text(json.dumps(state))
        await place.pull(name)
        asked = [seen.headers.get("range", "") for seen in registry.requests(LARGE_DIGEST)]
        first = min(int(each.removeprefix("bytes=").partition("-")[0]) for each in asked)
        assert first == (0 if is_damaged else 2 * part // UNIT * UNIT)
        assert place.files == {digest.replace(":", "-") for digest in LARGE.blobs}

    play(tmp_path, scene)
