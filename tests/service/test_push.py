"""Pushing models: the steps that are told, what reaches the registry, the faults on the way."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from puna.api.events import Progress
from puna.models.library import Library
from puna.models.manifest import CONFIG, LICENSE, MODEL, Layer, Manifest
from puna.models.name import Name
from tests.fakes.faulty_registry import Fault, FaultyRegistry, Seen
from tests.fakes.faulty_uploads import etag_of
from tests.fakes.registry_client import DOCKER, digest_of
from tests.service.pulling import PART, Puller, play, until, words
from tests.service.world import complaint

WEIGHTS = bytes(range(251)) * (5 * PART // 251)
SMALL = b"weights" * 1000
CONFIG_JSON = b'{"model_format":"gguf"}'


def install(library: Library, name: str, weights: bytes, from_: str = "") -> list[str]:
    """Put a model into the store, as create does; returns the digests of its blobs."""
    layers = []
    for kind, data in ((MODEL, weights), (LICENSE, b"MIT"), (CONFIG, CONFIG_JSON)):
        layers.append(Layer(kind, library.blobs.add(data).digest, len(data), from_))
    library.write(Name.parse(name), Manifest(layers[-1], tuple(layers[:-1])))
    return [str(layer.digest) for layer in layers]


def sent(registry: FaultyRegistry, method: str, server: str = "registry") -> list[Seen]:
    """The requests of a method."""
    return [each for each in registry.seen if each.method == method and each.server == server]


@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_a_new_model(registry: FaultyRegistry, tmp_path: Path, relative: bool) -> None:
    registry.relative = relative
    name = f"{registry.address}/me/m:v1"

    async def scene(place: Puller) -> None:
        digests = install(place.library, name, WEIGHTS)
        steps = await place.push(name)
        assert words(steps) == [
            "retrieving manifest",
            *(f"pushing {digest[7:19]}" for digest in digests),
            "pushing manifest",
            "success",
        ]
        ends = {step.digest: step for step in steps if step.digest}
        assert all(step.completed == step.total > 0 for step in ends.values())
        assert registry.models["me/m:v1"] == place.library.read(Name.parse(name)).path.read_bytes()
        assert registry.blobs[digest_of(WEIGHTS)] == WEIGHTS
        (put,) = [seen for seen in sent(registry, "PUT") if "manifests" in seen.path]
        assert put.headers["content-type"] == DOCKER

    play(tmp_path, scene)


def test_parts_are_sent_as_the_reference_does(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/me/m"

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        await place.push(name)
        size, ends = len(WEIGHTS), [PART, 2 * PART, 3 * PART, 4 * PART, len(WEIGHTS)]
        parts = sent(registry, "PATCH")[:5]
        assert [part.headers["content-range"] for part in parts] == [
            f"{at * PART}-{min((at + 1) * PART, size) - 1}" for at in range(5)
        ]
        assert {part.headers["x-redirect-uploads"] for part in parts} == {"1"}
        commit = sent(registry, "PUT")[0]
        assert commit.query["digest"] == [digest_of(WEIGHTS)]
        assert commit.query["etag"] == [etag_of(WEIGHTS, ends)]

    play(tmp_path, scene)


def test_an_empty_blob_has_no_parts(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/me/m"

    async def scene(place: Puller) -> None:
        install(place.library, name, b"")
        steps = await place.push(name)
        assert digest_of(b"") in {step.digest for step in steps}
        commit = sent(registry, "PUT")[0]
        assert commit.query["etag"] == ["d41d8cd98f00b204e9800998ecf8427e-0"]

    play(tmp_path, scene)


def test_what_is_there_is_told_and_not_sent(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/me/m"

    async def scene(place: Puller) -> None:
        digests = install(place.library, name, WEIGHTS)
        await place.push(name)
        registry.seen.clear()
        steps = [step for step in await place.push(name) if step.digest]
        told = {step.digest: step for step in steps}  # a slow answer is told of before it is there
        assert list(told) == digests
        assert all(step.completed == step.total for step in told.values())
        assert sent(registry, "PATCH") == sent(registry, "POST") == []

    play(tmp_path, scene)


MOUNTS = {
    "of the model it was made of": ("{host}/base/model:7b", [], ["base/model"]),
    "of another model that is here": ("", ["{host}/other/m"], ["other/m"]),
    "not of another registry": ("elsewhere/base/model", ["else.where/a/b"], []),
    "not of a file": ("/home/me/model.gguf", [], []),
}


@pytest.mark.parametrize(("from_", "others", "sources"), MOUNTS.values(), ids=MOUNTS)
def test_blobs_are_mounted(
    registry: FaultyRegistry, tmp_path: Path, from_: str, others: list[str], sources: list[str]
) -> None:
    name = f"{registry.address}/me/m"

    async def scene(place: Puller) -> None:
        install(place.library, name, SMALL, from_.format(host=registry.address))
        for other in others:
            install(place.library, other.format(host=registry.address), SMALL)
        registry.faults["head"] = [Fault("status", status=404)] * 3
        registry.blobs[digest_of(SMALL)] = SMALL
        await place.push(name)
        assert sent(registry, "POST")[0].query.get("from", []) == sources
        others_bytes = len(b"MIT") + len(CONFIG_JSON)
        assert registry.received == others_bytes + (0 if sources else len(SMALL))

    play(tmp_path, scene)


def test_a_mount_that_is_refused_is_an_upload(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/me/m"
    registry.faults["start"] = [Fault("status", status=403, body=b"not that one")]

    async def scene(place: Puller) -> None:
        install(place.library, name, SMALL, f"{registry.address}/secret/m")
        await place.push(name)
        assert registry.blobs[digest_of(SMALL)] == SMALL

    play(tmp_path, scene)


def test_parts_may_go_elsewhere(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/me/m"
    registry.redirects_parts = registry.wants_token = True
    registry.faults["object"] = [Fault("status"), Fault("reset"), Fault("lost")]

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        await place.push(name)
        assert registry.blobs[digest_of(WEIGHTS)] == WEIGHTS
        stored = sent(registry, "PUT", "store")
        assert len({seen.path for seen in stored}) == 5 + 2
        assert not any(seen.authorization for seen in stored)
        assert all(seen.authorization for seen in registry.requests("/uploads/"))

    play(tmp_path, scene)


PASSING = {
    "out of order when asked": {"head": [Fault("status"), Fault("reset")]},
    "out of order at the beginning": {"start": [Fault("status", status=502)]},
    "a burst": {"part": [Fault("status", status=500 + each) for each in range(4)]},
    "no address to send to": {"start": [Fault("nowhere")]},
    "no address after a part": {"part": [Fault("nowhere")] * 3},
    "a part is cut": {"part": [Fault("cut", after=PART // 3), Fault("cut", after=5)]},
    "an answer to a part is lost": {"part": [Fault("lost")]},
    "the upload is forgotten": {
        "part": [Fault("status", status=404, body=b"BLOB_UPLOAD_UNKNOWN")],
        "status": [Fault("status", status=404, body=b"BLOB_UPLOAD_UNKNOWN")],
    },
    "the end is out of order": {"commit": [Fault("status"), Fault("reset")]},
    "the answer to the end is lost": {"commit": [Fault("lost")]},
    "the beginning is lost": {"start": [Fault("lost")]},
    "the manifest is not taken at once": {"manifest": [Fault("status"), Fault("lost")]},
    "the registry wants some peace": {"part": [Fault("status", status=429)]},
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("tells_status", [True, False], ids=["status", "no status"])
def test_a_failure_that_passes(
    registry: FaultyRegistry, tmp_path: Path, faults: dict[str, list[Fault]], tells_status: bool
) -> None:
    name = f"{registry.address}/me/m"
    registry.tells_status = tells_status
    registry.faults |= {kind: list(each) for kind, each in faults.items()}

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        await place.push(name)
        assert registry.blobs[digest_of(WEIGHTS)] == WEIGHTS
        assert "me/m:latest" in registry.models

    play(tmp_path, scene)


def test_a_part_that_was_cut_goes_on_where_it_was(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/me/m"
    cut = 2 * PART // 3
    registry.faults["part"] = [Fault("cut", after=cut)]

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        await place.push(name)
        assert registry.received < len(WEIGHTS) + 100
        ends = [cut, PART, 2 * PART, 3 * PART, 4 * PART, len(WEIGHTS)]
        assert sent(registry, "PUT")[0].query["etag"] == [etag_of(WEIGHTS, ends)]

    play(tmp_path, scene)


def test_who_leaves_ends_the_upload_which_goes_on_later(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = f"{registry.address}/me/m"

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        registry.faults["part"] = [Fault("nowhere")] * 3 + [Fault("hold")]
        async with aclosing(place.start_push(name)) as steps:
            async for step in steps:
                if step.completed >= 3 * PART:
                    await until(lambda: registry.received == 4 * PART)
                    break
        registry.gate.set()
        before = registry.received
        await place.push(name)
        assert registry.blobs[digest_of(WEIGHTS)] == WEIGHTS
        assert registry.received - before <= len(WEIGHTS) - 4 * PART + 100

    play(tmp_path, scene)


def test_an_upload_that_the_registry_forgot_meanwhile_begins_anew(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = f"{registry.address}/me/m"

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        registry.faults["part"] = [Fault("nowhere"), Fault("status", status=403)]
        await complaint(place.push(name))
        registry.uploads.clear()
        await place.push(name)
        assert registry.blobs[digest_of(WEIGHTS)] == WEIGHTS

    play(tmp_path, scene)


def test_two_pushes_share_one_upload(registry: FaultyRegistry, tmp_path: Path) -> None:
    names = [f"{registry.address}/me/m:{tag}" for tag in ("a", "b")]

    async def scene(place: Puller) -> None:
        for name in names:
            install(place.library, name, WEIGHTS)
        registry.faults["part"] = [Fault("hold")]
        pushes = [asyncio.ensure_future(place.push(name)) for name in names]  # noqa: TID251
        await until(lambda: registry.received > 0)
        await asyncio.sleep(0.1)
        registry.gate.set()
        await asyncio.gather(*pushes)
        assert registry.received <= len(WEIGHTS) + 100
        assert set(registry.models) == {"me/m:a", "me/m:b"}

    play(tmp_path, scene)


def test_the_manifest_never_comes_before_its_blobs(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = f"{registry.address}/me/m"
    registry.faults["part"] = [Fault("status")] * 100

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        status, error = await complaint(place.push(name))
        assert (status, error) == (500, "max retries exceeded: 503: out of order")
        assert registry.models == {}

    play(tmp_path, scene)


def test_who_always_loses_uploads_is_given_up(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/me/m"
    registry.faults["commit"] = [Fault("status", status=404)] * 100

    async def scene(place: Puller) -> None:
        install(place.library, name, SMALL)
        _, error = await complaint(place.push(name))
        assert error == "max retries exceeded: the registry has lost the upload: 404"

    play(tmp_path, scene)


REFUSED = {
    "no right": (403, b"denied", "403: denied"),
    "no such namespace": (404, b"", "file does not exist"),
    "too large": (413, b"too large", "413: too large"),
}


@pytest.mark.parametrize(("status", "body", "told"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("kind", ["start", "manifest"])
def test_a_refusal_is_told(
    registry: FaultyRegistry, tmp_path: Path, kind: str, status: int, body: bytes, told: str
) -> None:
    name = f"{registry.address}/me/m"
    registry.faults[kind] = [Fault("status", status=status, body=body)]

    async def scene(place: Puller) -> None:
        install(place.library, name, SMALL)
        assert await complaint(place.push(name)) == (404 if status == 404 else 500, told)

    play(tmp_path, scene)


def test_a_damaged_blob_is_named(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/me/m"

    async def scene(place: Puller) -> None:
        digest = install(place.library, name, SMALL)[0]
        path = place.library.blobs.folder / digest.replace(":", "-")
        path.write_bytes(SMALL[:-1] + b"?")
        _, error = await complaint(place.push(name))
        assert error == f"{digest}: its content is not what was stored (see `puna verify`)"
        path.write_bytes(SMALL[:-1])
        _, error = await complaint(place.push(name))
        assert error.startswith(f"blob {digest} has {len(SMALL) - 1} bytes instead of")
        path.unlink()
        _, error = await complaint(place.push(name))
        assert error.startswith(f"blob {digest} is missing")
        assert registry.models == {}

    play(tmp_path, scene)


UNKNOWN = {
    "nothing": (404, "model 'nothing:latest' not found"),
    "bad name": (400, "unqualified name: bad name"),
    "http://h/n/m": (404, "model 'h/n/m:latest' not found"),
}


@pytest.mark.parametrize(("model", "told"), UNKNOWN.items())
def test_a_model_that_is_not_here(tmp_path: Path, model: str, told: tuple[int, str]) -> None:
    """98"""

    async def scene(place: Puller) -> None:
        steps: list[Progress] = []

        async def push() -> None:
            async for step in place.start_push(model):
                steps.append(step)

        assert await complaint(push()) == told
        assert words(steps) == ["retrieving manifest", "couldn't retrieve manifest"]

    play(tmp_path, scene)


def test_no_name(tmp_path: Path) -> None:
    async def scene(place: Puller) -> None:
        assert await complaint(place.push("")) == (400, "model is required")

    play(tmp_path, scene)
