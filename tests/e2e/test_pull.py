"""Pulling as users do: the program and its server against a registry, and pulls that are killed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import puna
from tests.e2e.conftest import Start
from tests.e2e.kill_pulls import kill_pulls
from tests.e2e.server import until
from tests.fakes.faulty_registry import Fault, FaultyRegistry, faulty_registry
from tests.fakes.registry_client import pack_model

pytestmark = pytest.mark.e2e


SHORT = ("params", b'{"num_predict":5}')


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with faulty_registry() as started:
        yield started


def test_running_a_model_that_is_not_there_pulls_it(
    start: Start, registry: FaultyRegistry, tiny_gguf: Path
) -> None:
    server = start()
    registry.wants_token = registry.redirects = True
    name = registry.add("library/tiny", pack_model(("model", tiny_gguf.read_bytes()), SHORT))
    done = puna("run", name, "hello", "--insecure", env=server.env)
    assert (done.returncode, bool(done.stdout.strip())) == (0, True), done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == "pulling manifest"
    assert lines[1].startswith("pulling ")
    assert lines[-3:] == ["verifying sha256 digest", "writing manifest", "success"]
    assert (server.home / "puna" / "id_ed25519").is_file()
    registry.seen.clear()
    assert puna("run", name, "hello", env=server.env).returncode == 0
    assert registry.seen == []


def test_unstreamed(start: Start, registry: FaultyRegistry) -> None:
    server = start()
    name = registry.add("library/m", pack_model(("model", b"weights")))
    done = server.post("/api/pull", name=name, insecure=True, stream=False)
    assert (done.status, done.json) == (200, {"status": "success"})
    gone = server.post("/api/pull", model=f"{registry.address}/a/b", insecure=True, stream=False)
    assert (gone.status, gone.error) == (404, "pull model manifest: file does not exist")
    streamed = server.post("/api/pull", model=f"{registry.address}/a/b", insecure=True)
    assert streamed.status == 200
    assert streamed.lines == [
        {"status": "pulling manifest"},
        {"error": "pull model manifest: file does not exist"},
    ]


def test_who_hangs_up_ends_the_transfer_and_keeps_what_came(
    start: Start, registry: FaultyRegistry
) -> None:
    server = start()
    weights = random.Random(1).randbytes(30_000_000)
    name = registry.add("library/m", pack_model(("model", weights)))
    registry.faults["blob"] = [Fault("hold", after=4_000_000)] * 8
    with server.stream("/api/pull", model=name, insecure=True) as steps:
        for step in steps:
            if step.get("completed", 0) > 8_000_000:
                break
        steps.hang_up()
    partials = {path.name for path in (server.store / "blobs").iterdir()}
    assert {name.rpartition("-")[2] for name in partials} == {"partial", "partial.units"}
    registry.faults.clear()
    before = len(registry.seen)
    assert server.post("/api/pull", model=name, insecure=True, stream=False).status == 200
    assert registry.seen[before:]
    until(lambda: not [file for file in server.files() if "partial" in file], "no partial is left")


def test_pulls_that_are_killed_go_on(tmp_path: Path) -> None:
    killer = kill_pulls(tmp_path, kills=6, seed=5)
    assert killer.kills >= 6
    assert killer.finished
