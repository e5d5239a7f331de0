"""A private registry over https, whose certificate is of an authority that only its users know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.models.name import Name
from tests.fakes.certificates import Certificates, make_certificates
from tests.fakes.connect_proxy import connect_proxy
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


def test_a_proxy_tunnels_https_and_sees_no_password(
    registry: DockerRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "https://registry.example/me/tunnelled"
    given = {**SECURE, "insecure": True}

    async def scene(place: Puller) -> None:
        install(place.library, "registry.example/me/tunnelled", WEIGHTS)
        await place.push(name, **given)
        place.library.delete(Name.parse(name))
        await place.pull(name, **given)
        assert place.library.names() == [Name.parse(name)]

    with connect_proxy(registry.address) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        play(tmp_path, scene)
    assert proxy.heads
    for head in proxy.heads:
        assert head.startswith(b"CONNECT registry.example:443 ")
        assert b"uthorization" not in head


def test_hosts_of_no_proxy_are_asked_directly(
    registry: DockerRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(place: Puller) -> None:
        _, error = await complaint(place.pull("registry.invalid/me/m", **SECURE))
        assert error.startswith("pull model manifest: https://registry.invalid/")

    with connect_proxy(registry.address) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        monkeypatch.setenv("NO_PROXY", "elsewhere.example,registry.invalid")
        play(tmp_path, scene)
    assert proxy.heads == []
