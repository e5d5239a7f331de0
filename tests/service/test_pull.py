"""Pulling models: the steps that are told, what comes into the store, the faults on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.faulty_registry import Fault, FaultyRegistry
from tests.fakes.registry_client import OCI, OCI_INDEX, digest_of, pack_model
from tests.service.pulling import LARGE, LARGE_DIGEST, SMALL, UNIT, WEIGHTS, Puller, play, words
from tests.service.world import complaint


def test_steps_of_a_new_model(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", SMALL)

    async def scene(place: Puller) -> None:
        digests = list(SMALL.blobs)
        assert words(await place.pull(name)) == [
            "pulling manifest",
            *(f"pulling {digest[7:19]}" for digest in digests),
            "verifying sha256 digest",
            "writing manifest",
            "success",
        ]

    play(tmp_path, scene)


def test_progress_only_grows_and_ends_at_the_total(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = registry.add("library/m", LARGE)
    registry.bytes_per_second = 2e6
    registry.faults["blob"] = [Fault("truncate", after=70_000), Fault("reset", after=50_000)]

    async def scene(place: Puller) -> None:
        steps = [step for step in await place.pull(name) if step.digest == LARGE_DIGEST]
        done = [step.completed for step in steps]
        assert done == sorted(done)
        assert len(set(done)) > 2
        assert done[-1] == steps[-1].total == len(WEIGHTS)

    play(tmp_path, scene)


def test_what_is_here_is_told_once_and_not_fetched(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    """99"""
    name = registry.add("library/m", SMALL)

    async def scene(place: Puller) -> None:
        await place.pull(name)
        registry.seen.clear()
        steps = [step for step in await place.pull(name) if step.digest]
        assert [step.digest for step in steps] == list(SMALL.blobs)
        assert all(step.completed == step.total for step in steps)
        assert registry.requests("blobs") == []

    play(tmp_path, scene)


def test_an_update_removes_what_only_the_old_version_used(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    old = pack_model(("model", b"old"), ("license", b"MIT"))
    new = pack_model(("model", b"new"), ("license", b"MIT"))
    name = registry.add("library/m", old)

    async def scene(place: Puller) -> None:
        await place.pull(name)
        registry.add("library/m", new)
        assert words(await place.pull(name))[-3:] == [
            "writing manifest",
            "removing unused layers",
            "success",
        ]
        assert place.files == {digest.replace(":", "-") for digest in new.blobs}

    play(tmp_path, scene)


def test_without_pruning_old_blobs_stay(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", pack_model(("model", b"old")))

    async def scene(place: Puller) -> None:
        await place.pull(name)
        registry.add("library/m", pack_model(("model", b"new")))
        assert "removing unused layers" not in words(await place.pull(name))
        assert digest_of(b"old").replace(":", "-") in place.files

    play(tmp_path, scene, no_prune=True)


def test_another_case_is_the_same_model(registry: FaultyRegistry, tmp_path: Path) -> None:
    registry.add("library/m", SMALL)

    async def scene(place: Puller) -> None:
        await place.pull(f"{registry.address}/library/m")
        await place.pull(f"{registry.address}/Library/M:LATEST")
        assert [name.repository for name in place.library.names()] == ["library/m"]

    play(tmp_path, scene)


PASSING = {
    "the body ends early": [Fault("truncate", after=3 * UNIT // 2)],
    "the connection breaks": [Fault("reset", after=UNIT // 3)],
    "it breaks before the first byte": [Fault("reset"), Fault("truncate")],
    "the server is out of order": [Fault("status"), Fault("status", status=502)],
    "the server wants some peace": [Fault("status", status=429, headers=(("Retry-After", "3"),))],
    "another range than was asked for": [Fault("range")],
    "one after another": [Fault("status"), *[Fault("reset", after=9)] * 2, Fault("truncate", 99)],
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("redirects", [False, True], ids=["direct", "redirected"])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_failure_that_passes_costs_nothing(
    registry: FaultyRegistry, tmp_path: Path, faults: list[Fault], redirects: bool, ranges: bool
) -> None:
    name = registry.add("library/m", LARGE)
    registry.redirects, registry.ranges = redirects, ranges
    registry.faults["blob"] = list(faults)

    async def scene(place: Puller) -> None:
        await place.pull(name)
        assert len(list(place.library.entries())) == 1
        assert place.files == {digest.replace(":", "-") for digest in LARGE.blobs}
        # where there are no ranges, a 206 is not asked for and its fault breaks nothing
        assert place.pauses or not ranges or faults[0].kind == "range"

    play(tmp_path, scene)


def test_a_server_that_names_a_time_gets_it(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", SMALL)
    registry.faults["manifest"] = [Fault("status", headers=(("Retry-After", "20"),))]

    async def scene(place: Puller) -> None:
        await place.pull(name)
        assert [15 <= pause <= 25 for pause in place.pauses] == [True]

    play(tmp_path, scene)


def test_silence_is_noticed(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", LARGE)
    registry.faults["blob"] = [Fault("stall", after=100), Fault("stall")]

    async def scene(place: Puller) -> None:
        await place.pull(name)
        assert len(place.pauses) == 2

    play(tmp_path, scene, stall_seconds=0.3)


def test_a_connection_that_only_trickles_is_given_up(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = registry.add("library/m", LARGE)
    registry.faults["blob"] = [Fault("trickle", after=3 * UNIT + 5)]

    async def scene(place: Puller) -> None:
        await place.pull(name)
        assert len(place.pauses) == 1

    play(tmp_path, scene)


def test_an_address_that_expires_is_asked_for_again(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    name = registry.add("library/m", LARGE)
    registry.redirects, registry.link_uses = True, 1
    registry.faults["blob"] = [Fault("truncate", after=UNIT)] * 6

    async def scene(place: Puller) -> None:
        await place.pull(name)
        assert len(registry.requests(LARGE_DIGEST)) > 6, "each link is good for one use"

    play(tmp_path, scene)


def manifest_of(media_type: str) -> bytes:
    """A manifest with one layer."""
    layer = {"mediaType": media_type, "digest": LARGE_DIGEST, "size": 1}
    return json.dumps({"layers": [layer]}).encode()


REFUSED = {
    "no such model": ([Fault("status", status=404)], "pull model manifest: file does not exist"),
    "a newer version is wanted": (
        [Fault("status", status=412, body=b"get a newer one")],
        "pull model manifest: 412: get a newer one",
    ),
    "out of order for long": ([Fault("status")] * 9, "pull model manifest: 503: out of order"),
    "not JSON": (
        [Fault("status", status=200, body=b"<html>")],
        "pull model manifest: manifest is not JSON",
    ),
    "a picture": (
        [Fault("status", status=200, body=manifest_of("image/png"))],
        "pull model manifest: not a model: its layers are of type 'image/png'",
    ),
    "too large": (
        [Fault("status", status=200, body=b" " * (16 * 1024 * 1024 + 1))],
        "pull model manifest: http://",
    ),
    "nothing in it": (
        [Fault("status", status=200, body=b"{}")],
        "pull model manifest: not a model: it has no layers",
    ),
    "tensors": (
        [Fault("status", status=200, body=manifest_of("application/vnd.ollama.image.tensor"))],
        "pull model manifest: this model requires MLX support, but the MLX runtime is not",
    ),
    "redirects in a circle": (
        [Fault("status", status=307, headers=(("Location", "latest"),))] * 99,
        "pull model manifest: maximum redirects exceeded (10)",
    ),
    "a redirect to a file": (
        [Fault("status", status=302, headers=(("Location", "file:///etc/passwd"),))],
        "pull model manifest: unsupported address 'file:///etc/passwd'",
    ),
    "a digest that leads out of the store": (
        [Fault("status", status=200, body=b'{"layers":[{"digest":"sha256:../../x","size":1}]}')],
        "pull model manifest: invalid digest format in manifest",
    ),
}


@pytest.mark.parametrize(("faults", "text"), REFUSED.values(), ids=REFUSED)
def test_a_manifest_that_is_none(
    registry: FaultyRegistry, tmp_path: Path, faults: list[Fault], text: str
) -> None:
    name = registry.add("library/m", SMALL)
    registry.faults["manifest"] = list(faults)

    async def scene(place: Puller) -> None:
        status, error = await complaint(place.pull(name))
        assert (status, error[: len(text)]) == (404 if "does not exist" in text else 500, text)
        assert not place.files
        assert not place.library.names()

    play(tmp_path, scene)


def test_wrong_bytes_leave_nothing(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", LARGE)
    registry.faults["blob"] = [Fault("corrupt", after=12345)]

    async def scene(place: Puller) -> None:
        status, error = await complaint(place.pull(name))
        assert status == 500
        assert error.startswith(
            f"digest mismatch, file must be downloaded again: want {LARGE_DIGEST}, got sha256:"
        )
        assert not place.files
        await place.pull(name)

    play(tmp_path, scene)


def test_failures_without_end_end(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", LARGE)
    registry.faults["blob"] = [Fault("reset")] * 1000

    async def scene(place: Puller) -> None:
        _, error = await complaint(place.pull(name))
        assert error.startswith("max retries exceeded: ")
        registry.faults.clear()
        await place.pull(name)

    play(tmp_path, scene)


def test_a_blob_of_another_size_is_refused(registry: FaultyRegistry, tmp_path: Path) -> None:
    name = registry.add("library/m", LARGE)
    registry.blobs[LARGE_DIGEST] = WEIGHTS + b"more"

    async def scene(place: Puller) -> None:
        _, error = await complaint(place.pull(name))
        assert error == (f"the blob has {len(WEIGHTS) + 4} bytes, the manifest says {len(WEIGHTS)}")

    play(tmp_path, scene)


def test_a_size_that_no_disk_holds(registry: FaultyRegistry, tmp_path: Path) -> None:
    manifest = json.loads(SMALL.raw)
    manifest["layers"][0]["size"] = 2**62
    registry.models["library/m:latest"] = json.dumps(manifest).encode()

    async def scene(place: Puller) -> None:
        _, error = await complaint(place.pull(f"{registry.address}/library/m"))
        assert error.startswith("no space left on the disk of ")
        assert registry.requests("blobs") == []

    play(tmp_path, scene)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"model": ""}, "invalid model name"),
    "no name at all": ({"model": "a//b"}, "invalid model name"),
    "http without a word": (
        {"model": "http://h/n/m", "insecure": False},
        "insecure protocol http",
    ),
    "another scheme": ({"model": "ftp://h/n/m"}, "unsupported protocol scheme: ftp"),
}


@pytest.mark.parametrize(("fields", "text"), BAD.values(), ids=BAD)
def test_bad_requests(tmp_path: Path, fields: dict[str, Any], text: str) -> None:
    async def scene(place: Puller) -> None:
        assert await complaint(place.pull(**fields)) == (400, text)

    play(tmp_path, scene)


def test_a_model_that_comes_with_puna_needs_no_registry(tmp_path: Path) -> None:
    async def scene(place: Puller) -> None:
        steps = await place.pull("cria", insecure=False)
        assert words(steps) == ["pulling manifest", "writing manifest", "success"]
        assert [name.short for name in place.library.names()] == ["cria:latest"]

    play(tmp_path, scene)


def test_an_index_leads_to_a_manifest(registry: FaultyRegistry, tmp_path: Path) -> None:
    model = pack_model(("model", b"for anybody"), media_type=OCI)
    name = registry.add("library/m", model, digest_of(model.raw))
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI, "digest": digest_of(model.raw), "size": len(model.raw)}],
    }
    registry.models["library/m:latest"] = json.dumps(index).encode()

    async def scene(place: Puller) -> None:
        await place.pull(f"{registry.address}/library/m")
        (stored,) = place.library.entries()
        assert stored.path.read_bytes() == model.raw
        registry.models[name.partition("/")[2]] += b" "
        _, error = await complaint(place.pull(f"{registry.address}/library/m"))
        assert "has other bytes than its digest says" in error

    play(tmp_path, scene)
