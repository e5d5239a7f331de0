"""A private registry over https, whose certificate is of an authority that only its users know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.models.name import Name
from tests.fakes.certificates import Certificates, make_certificates
from tests.fakes.docker_registry import PASSWORD, USER, DockerRegistry, docker_registry
from tests.service.pulling import Puller, play
from tests.service.test_push import install
from tests.service.world import complaint

pytestmark = pytest.mark.e2e

WEIGHTS = bytes(range(256)) * 10_000
SECURE = {"insecure": False, "username": USER, "password": PASSWORD}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def registry(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DockerRegistry]:
    folder = tmp_path_factory.mktemp("registry")
    with docker_registry(folder, with_password=True, tls=certificates) as started:
        yield started


def test_the_authority_of_ssl_cert_file_is_trusted(
    registry: DockerRegistry,
    certificates: Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    name = f"{registry.address}/me/m"

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        digest = place.library.read(Name.parse(name)).digest
        await place.push(name, **SECURE)
        place.library.delete(Name.parse(name))
        await place.pull(name, **SECURE)
        assert place.library.read(Name.parse(name)).digest == digest

    play(tmp_path, scene)


def test_a_certificate_of_nobody_known_is_refused(
    registry: DockerRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    name = f"{registry.address}/me/m"

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        for work in (place.push(name, **SECURE), place.pull(name, **SECURE)):
            status, error = await complaint(work)
            assert status == 500
            assert "certificate verify failed" in error

    play(tmp_path, scene)


def test_insecure_takes_any_certificate_where_https_is_written(
    registry: DockerRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    name = f"{registry.address}/me/other"

    async def scene(place: Puller) -> None:
        install(place.library, name, WEIGHTS)
        given = {**SECURE, "insecure": True}
        _, error = await complaint(place.push(name, **given))
        assert error.startswith("400: Client sent an HTTP request to an HTTPS server")
        await place.push(f"https://{name}", **given)
        await place.pull(f"https://{name}", **given)

    play(tmp_path, scene)
