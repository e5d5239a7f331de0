"""Pushing models that are stored tensor by tensor: several blobs at once, as one, also signed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from puna.models.library import Library
from puna.models.manifest import CONFIG, TENSOR, Layer, Manifest
from puna.models.name import Name
from tests.fakes.faulty_registry import Fault, FaultyRegistry
from tests.fakes.registry_client import digest_of
from tests.service.pulling import PART, Puller, play, words
from tests.service.test_push import sent
from tests.service.world import complaint

CONFIG_JSON = b'{"model_format":"safetensors"}'
TENSORS = [bytes([number]) * (900 + number) for number in range(30)]


def install(library: Library, name: str, tensors: list[bytes] = TENSORS) -> bytes:
    """Put a model of tensors into the store; returns its manifest's bytes."""
    config = Layer(CONFIG, library.blobs.add(CONFIG_JSON).digest, len(CONFIG_JSON))
    layers = [
        Layer(TENSOR, library.blobs.add(data).digest, len(data), name=f"blk.{number}.weight")
        for number, data in enumerate(tensors)
    ]
    library.write(Name.parse(name), Manifest(config, tuple(layers)))
    return library.read(Name.parse(name)).path.read_bytes()


def test_many_blobs_are_sent_at_once_and_told_as_one(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = f"{registry.address}/me/m"
    registry.bytes_per_second = 40_000
    there = TENSORS[:5]
    registry.blobs |= {digest_of(data): data for data in there}

    async def scene(place: Puller) -> None:
        raw = install(place.library, name)
        steps = await place.push(name)
        assert words(steps) == [
            "retrieving manifest",
            "pushing model",
            "pushing manifest",
            "success",
        ]
        bar = [step for step in steps if step.digest]
        total = sum(map(len, TENSORS)) + len(CONFIG_JSON)
        assert {(step.digest, step.total) for step in bar} == {("sha256:model", total)}
        done = [step.completed for step in bar]
        assert done == sorted(done)
        assert done[-1] == total
        assert registry.models["me/m:latest"] == raw
        assert all(registry.blobs[digest_of(data)] == data for data in TENSORS)
        assert 2 <= registry.busiest <= 4
        begun = [seen for seen in sent(registry, "POST") if "uploads" in seen.path]
        assert {seen.query["digest"][0] for seen in begun} == {
            digest_of(data) for data in (*TENSORS[5:], CONFIG_JSON)
        }
        assert {seen.headers["x-redirect-uploads"] for seen in begun} == {"2"}
        sizes = {seen.query["digest"][0]: seen.headers["x-content-length"] for seen in begun}
        assert sizes[digest_of(TENSORS[9])] == str(len(TENSORS[9]))

    play(tmp_path, scene)


def test_what_the_registry_signs_goes_elsewhere_as_a_whole(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    """With the headers that it signed, and without any that says who we are."""
    name = f"{registry.address}/me/m"
    registry.wants_token = True
    registry.signs = {"X-Amz-Meta-A": "b", "Content-Type": "application/x-tensor", "Host": "evil"}

    async def scene(place: Puller) -> None:
        install(place.library, name, [b"x" * 3 * PART, b"small"])
        await place.push(name)
        puts = sent(registry, "PUT", "store")
        assert len(puts) == 3
        for seen in puts:
            assert seen.headers["x-amz-meta-a"] == "b"
            assert seen.headers["content-type"] == "application/x-tensor"
            assert seen.headers["host"] == registry.store
            assert not seen.authorization
        assert not sent(registry, "PATCH")
        commits = [seen for seen in sent(registry, "PUT") if "digest" in seen.query]
        assert [list(seen.query) for seen in commits] == [["state", "digest"]] * 3
        assert registry.blobs[digest_of(b"x" * 3 * PART)] == b"x" * 3 * PART

    play(tmp_path, scene)


@pytest.mark.parametrize("signs", [None, {}], ids=["in parts", "signed"])
def test_faults_are_survived(
    registry: FaultyRegistry, tmp_path: Path, signs: dict[str, str] | None
) -> None:
    name = f"{registry.address}/me/m"
    registry.signs = signs
    registry.faults = {
        "head": [Fault("status"), Fault("reset")],
        "start": [Fault("status"), Fault("nowhere"), Fault("lost")],
        "part": [Fault("cut", after=100), Fault("lost")],
        "object": [Fault("status"), Fault("reset"), Fault("lost")],
        "commit": [Fault("status"), Fault("lost")],
        "manifest": [Fault("status")],
    }

    async def scene(place: Puller) -> None:
        raw = install(place.library, name)
        await place.push(name)
        assert registry.models["me/m:latest"] == raw
        assert all(registry.blobs[digest_of(data)] == data for data in TENSORS)

    play(tmp_path, scene)


def test_what_does_not_pass_ends_the_push_with_its_reason(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = f"{registry.address}/me/m"
    registry.faults = {"start": [Fault("status", status=403, body=b"not yours")]}

    async def scene(place: Puller) -> None:
        install(place.library, name)
        status, text = await complaint(place.push(name))
        assert (status, "not yours" in text) == (500, True)
        assert registry.models == {}
        registry.signs = {f"X-{number}": "y" for number in range(33)}
        status, text = await complaint(place.push(name))
        assert "signed headers that cannot be sent" in text

    play(tmp_path, scene)


def test_who_leaves_ends_it_and_what_has_arrived_is_not_sent_again(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = f"{registry.address}/me/m"
    registry.bytes_per_second = 20_000

    async def scene(place: Puller) -> None:
        install(place.library, name)
        async with aclosing(place.start_push(name)) as steps:
            async for step in steps:
                if step.digest and step.completed > 5000:
                    break
        await asyncio.sleep(0.2)
        arrived = set(registry.blobs)
        assert arrived
        assert registry.models == {}
        registry.seen.clear()
        registry.bytes_per_second = 0
        await place.push(name)
        again = {seen.query["digest"][0] for seen in sent(registry, "POST")}
        assert not arrived & again

    play(tmp_path, scene)
