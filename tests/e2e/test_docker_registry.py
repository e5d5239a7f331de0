"""Pulling from and pushing to a registry that is none of ours: Debian's docker-registry."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.models.digest import Digest
from puna.models.name import Name
from tests.fakes.docker_registry import PASSWORD, USER, DockerRegistry, docker_registry
from tests.fakes.registry_client import OCI, OCI_INDEX, digest_of, pack_model
from tests.service.pulling import Puller, play
from tests.service.test_push import install
from tests.service.world import complaint

pytestmark = pytest.mark.e2e

WEIGHTS = bytes(range(256)) * 40_000
MODEL = pack_model(("model", WEIGHTS), ("template", b"{{ .Prompt }}"), ("license", b"MIT"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """A registry that anybody may read, with `library/m`."""
    with docker_registry(tmp_path_factory.mktemp("registry")) as started:
        started.pusher.put_model("library/m", "latest", MODEL)
        yield started


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """A registry that wants a name and a password, with `library/m`."""
    with docker_registry(tmp_path_factory.mktemp("private"), with_password=True) as started:
        started.pusher.put_model("library/m", "latest", MODEL)
        yield started


def test_a_model_comes_as_it_was_pushed(registry: DockerRegistry, tmp_path: Path) -> None:
    name = f"{registry.address}/library/m"

    async def scene(place: Puller) -> None:
        steps = await place.pull(name)
        assert [step.status for step in steps if not step.digest] == [
            "pulling manifest",
            "verifying sha256 digest",
            "writing manifest",
            "success",
        ]
        stored = place.library.read(Name.parse(name))
        assert stored.digest == Digest.of(MODEL.raw).hex
        assert stored.path.read_bytes() == MODEL.raw
        assert place.files == {digest.replace(":", "-") for digest in MODEL.blobs}

    play(tmp_path, scene)


def test_an_oci_manifest_and_an_index(registry: DockerRegistry, tmp_path: Path) -> None:
    model = pack_model(("model", b"as OCI has it"), media_type=OCI)
    registry.pusher.put_model("library/oci", "plain", model)
    entry = {"mediaType": OCI, "digest": digest_of(model.raw), "size": len(model.raw)}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
    registry.pusher.put_manifest("library/oci", "index", index.encode(), OCI_INDEX)

    async def scene(place: Puller) -> None:
        for tag in ("plain", "index"):
            await place.pull(f"{registry.address}/library/oci:{tag}")
        assert {stored.digest for stored in place.library.entries()} == {Digest.of(model.raw).hex}

    play(tmp_path, scene)


def test_what_is_not_there(registry: DockerRegistry, tmp_path: Path) -> None:
    async def scene(place: Puller) -> None:
        error = await complaint(place.pull(f"{registry.address}/library/nothing"))
        assert error == (404, "pull model manifest: file does not exist")

    play(tmp_path, scene)


def test_a_name_and_a_password(private: DockerRegistry, tmp_path: Path) -> None:
    name = f"{private.address}/library/m"

    async def scene(place: Puller) -> None:
        await place.pull(name, username=USER, password=PASSWORD)
        assert place.library.names() == [Name.parse(name)]

    play(tmp_path, scene)


@pytest.mark.parametrize("given", [{}, {"username": USER, "password": "wrong"}])
def test_without_the_right_password(
    private: DockerRegistry, tmp_path: Path, given: dict[str, str]
) -> None:
    async def scene(place: Puller) -> None:
        status, error = await complaint(place.pull(f"{private.address}/library/m", **given))
        assert status == 500
        assert error.startswith("pull model manifest: unauthorized: access denied")
        assert not place.files

    play(tmp_path, scene)


def test_what_docker_login_wrote(private: DockerRegistry, tmp_path: Path) -> None:
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    config = {"auths": {private.address: {"auth": secret}}}
    (tmp_path / "config.json").write_text(json.dumps(config))

    async def scene(place: Puller) -> None:
        await place.pull(f"{private.address}/library/m")
        assert len(place.library.names()) == 1

    play(tmp_path, scene, docker_config=tmp_path)


def test_a_model_comes_back_as_it_was(registry: DockerRegistry, tmp_path: Path) -> None:
    name = Name.parse(f"{registry.address}/round/trip:v1")

    async def scene(place: Puller) -> None:
        digests = install(place.library, str(name), WEIGHTS)
        stored = place.library.read(name)
        await place.push(str(name))
        place.library.delete(name)
        assert place.files == set()
        await place.pull(str(name))
        assert place.library.read(name).digest == stored.digest
        assert place.files == {digest.replace(":", "-") for digest in digests}

    play(tmp_path, scene)


def test_a_blob_that_the_registry_has_in_another_repository_is_not_sent_again(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    first, second = (f"{registry.address}/mounted/{model}" for model in ("first", "second"))

    async def scene(place: Puller) -> None:
        install(place.library, first, WEIGHTS + b"1")
        await place.push(first)
        place.library.copy(Name.parse(first), Name.parse(second))
        blob = place.library.blobs.path(Digest.of(WEIGHTS + b"1"))
        blob.write_bytes(bytes(len(WEIGHTS) + 1))  # what is sent would be refused
        await place.push(second)

    play(tmp_path, scene)


def test_a_password_for_a_push(private: DockerRegistry, tmp_path: Path) -> None:
    name = f"{private.address}/me/m"

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        for given in ({}, {"username": USER, "password": "wrong"}):
            _, error = await complaint(place.push(name, **given))
            assert error.startswith("unauthorized: access denied")
        await place.push(name, username=USER, password=PASSWORD)
        place.library.delete(Name.parse(name))
        await place.pull(name, username=USER, password=PASSWORD)

    play(tmp_path, scene)
