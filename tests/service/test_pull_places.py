"""Pulling through a proxy, and onto a disk that is full."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.models.name import Name
from tests.fakes.faulty_registry import Fault, FaultyRegistry
from tests.fakes.registry_client import digest_of, pack_model
from tests.service.pulling import UNIT, Puller, noted_units, play, until
from tests.service.world import complaint

WEIGHTS = bytes(range(256)) * (64 * UNIT // 256)
MODEL = pack_model(("model", WEIGHTS))
NO_ONE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_proxy_is_used(
    registry: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{registry.address}")
    registry.add("library/m", MODEL)

    async def scene(place: Puller) -> None:
        await place.pull("registry.example:5000/library/m")
        assert {seen.headers["host"] for seen in registry.seen} == {"registry.example:5000"}
        assert place.library.names() == [Name.parse("registry.example:5000/library/m")]

    play(tmp_path, scene)


def test_loopback_needs_no_proxy(
    registry: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", NO_ONE)
    name = registry.add("library/m", MODEL)

    async def scene(place: Puller) -> None:
        await place.pull(name)
        assert place.library.names() == [Name.parse(name)]

    play(tmp_path, scene)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)

    async def scene(place: Puller) -> None:
        status, error = await complaint(place.pull("registry.example/library/m"))
        assert status == 500
        assert error.startswith("pull model manifest: the proxy or certificate settings: ")

    play(tmp_path, scene)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB. Skips the test where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_keeps_what_came(registry: FaultyRegistry, small_disk: Path) -> None:
    name = registry.add("library/m", MODEL)
    registry.faults["blob"] = [Fault("hold", after=4 * UNIT)] * 4
    filler = small_disk / "filler"

    async def fill(place: Puller) -> None:
        await until(lambda: len(noted_units(place.library, WEIGHTS)) >= 12)
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(bytes(4_000_000))
        registry.gate.set()

    async def scene(place: Puller) -> None:
        filling = asyncio.get_running_loop().create_task(fill(place))
        _, error = await complaint(place.pull(name))
        await filling
        assert error.startswith(f"no space left on the disk of {place.library.blobs.folder}")
        filler.unlink()
        before = registry.sent[digest_of(WEIGHTS)]
        await place.pull(name)
        assert registry.sent[digest_of(WEIGHTS)] - before <= len(WEIGHTS) - 12 * UNIT

    play(small_disk, scene)


def test_a_disk_that_is_too_small_is_told_before_a_byte(
    registry: FaultyRegistry, small_disk: Path
) -> None:
    name = registry.add("library/m", MODEL)
    (small_disk / "filler").write_bytes(bytes(2_500_000))

    async def scene(place: Puller) -> None:
        _, error = await complaint(place.pull(name))
        assert error.endswith("are free")
        assert registry.requests("blobs") == []

    play(small_disk, scene)
