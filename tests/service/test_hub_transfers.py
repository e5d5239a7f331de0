"""How bytes come from the Hub: cut connections, links that expire, pulls that are taken up."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.fakes.hub import FakeHub
from tests.service.hub import NAME, model, play, pull
from tests.service.pulling import UNIT, Puller, asked_units, noted_units
from tests.service.world import complaint, sha


@pytest.mark.parametrize("large", [1000, 10_000_000], ids=["with a digest", "without"])
def test_other_bytes_than_listed_are_refused(
    hub: FakeHub, tmp_path: Path, weights: bytes, large: int
) -> None:
    repository = hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights}, large=large)
    repository.lies["Tiny-F32.gguf"] = weights[:-1] + b"!"

    async def scene(place: Puller) -> None:
        _, text = await complaint(pull(place))
        assert "digest mismatch" in text
        assert place.files == set(), "nothing is kept"

    play(hub, tmp_path, scene)


def test_a_file_without_a_digest_is_hashed(hub: FakeHub, tmp_path: Path, weights: bytes) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights}, large=10_000_000)

    async def scene(place: Puller) -> None:
        assert "pulling Tiny-F32.gguf" in await pull(place)
        found = model(place)
        assert found.weights is not None
        assert found.weights.digest.hex == sha(weights)

    play(hub, tmp_path, scene)


def test_a_cut_connection_goes_on_where_it_was(
    hub: FakeHub, tmp_path: Path, weights: bytes
) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights})
    hub.cuts = [3 * UNIT + 5, 2 * UNIT, UNIT]

    async def scene(place: Puller) -> None:
        await pull(place)
        assert place.pauses
        assert hub.sent["Tiny-F32.gguf"] < 1.5 * len(weights)
        assert len(hub.requests("cdn")) > 4, "in parts"

    play(hub, tmp_path, scene)


def test_links_that_expire_are_asked_for_again(
    hub: FakeHub, tmp_path: Path, weights: bytes
) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights}, access="private")
    hub.link_uses = 1

    async def scene(place: Puller) -> None:
        await pull(place)
        assert len(hub.requests("hub", "/resolve/")) > 1
        assert {seen.authorization for seen in hub.requests("cdn")} == {""}

    play(hub, tmp_path, scene, hf_token="hf_good")


def test_a_server_without_ranges(hub: FakeHub, tmp_path: Path, weights: bytes) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights})
    hub.ranges = False

    async def scene(place: Puller) -> None:
        await pull(place)
        assert model(place).weights

    play(hub, tmp_path, scene)


def test_a_pull_that_was_left_is_taken_up(hub: FakeHub, tmp_path: Path, weights: bytes) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights})
    hub.gate = threading.Event()

    async def scene(place: Puller) -> None:
        async with aclosing(place.start(NAME, insecure=False)) as steps:
            async for step in steps:
                if step.completed >= 2 * UNIT:
                    break
        assert place.library.names() == []
        assert any(name.endswith("-partial") for name in place.files)
        assert hub.gate is not None
        hub.gate.set()
        noted = noted_units(place.library, weights)
        assert noted
        hub.seen.clear()
        await pull(place)
        asked = asked_units(hub.requests("cdn", "Tiny-F32.gguf"))
        assert asked == set(range(-(-len(weights) // UNIT))) - noted

    play(hub, tmp_path, scene)


def test_two_names_of_one_file_share_its_transfer(
    hub: FakeHub, tmp_path: Path, weights: bytes
) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights})

    async def scene(place: Puller) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(place.pull(f"{NAME}:latest", insecure=False))
            tasks.create_task(place.pull("huggingface.co/org/Tiny-GGUF", insecure=False))
        assert len(place.library.names()) == 2
        assert hub.sent["Tiny-F32.gguf"] < 1.5 * len(weights)

    play(hub, tmp_path, scene)


def test_a_new_version_replaces_the_old(hub: FakeHub, tmp_path: Path, weights: bytes) -> None:
    repository = hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights})

    async def scene(place: Puller) -> None:
        await pull(place)
        repository.files["Tiny-F32.gguf"] = weights + b"\0" * 32
        assert "removing unused layers" in await pull(place)
        assert f"sha256-{sha(weights)}" not in place.files

    play(hub, tmp_path, scene)
