"""Pulling from a registry that is none of ours: Debian's docker-registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.models.digest import Digest
from puna.models.name import Name
from tests.fakes.docker_registry import DockerRegistry, docker_registry
from tests.fakes.registry_client import pack_model
from tests.service.pulling import Puller, play

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
