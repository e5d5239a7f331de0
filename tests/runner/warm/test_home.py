"""The folder in memory: there as long as the server, then on the disk or gone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from puna.runner.warm.home import WarmHome


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    (tmp_path / "shm").mkdir()
    return tmp_path / "shm"


def home(shared: Path, disk: Path | None = None, **limits: int) -> WarmHome:
    memory, size = limits.get("memory", 1000), limits.get("size", 1000)
    return WarmHome(memory, disk, size, shared, clock=lambda: 0.0)


def put(made: WarmHome, name: str, size: int = 10, used: int = 1) -> None:
    assert made.plan is not None
    path = Path(made.plan.memory) / f"{name}.kv"
    path.write_bytes(bytes(size))
    os.utime(path, ns=(used, used))


def test_it_is_private_and_goes_with_the_server(shared: Path) -> None:
    made = home(shared)
    (folder,) = shared.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert made.plan is not None
    assert (made.plan.memory, made.plan.disk) == (str(folder), "")
    put(made, "a")
    made.close()
    made.close()
    assert not list(shared.iterdir())


def test_it_goes_to_the_disk(shared: Path, tmp_path: Path) -> None:
    made = home(shared, tmp_path / "disk", size=25)
    for used, name in enumerate(["a", "b", "c"]):
        put(made, name, used=used)
    made.close()
    assert sorted(path.stem for path in (tmp_path / "disk").glob("*.kv")) == ["b", "c"]
    assert not list(shared.iterdir())


def test_a_disk_that_cannot_be_used(
    shared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "disk").touch()
    made = home(shared, tmp_path / "disk")
    put(made, "a")
    made.close()
    assert not list(shared.iterdir())
    assert str(tmp_path / "disk") in caplog.text


PLANS: dict[str, tuple[Callable[[Path], WarmHome], bool]] = {
    "nothing": (lambda at: home(at, memory=0), False),
    "no shared memory": (lambda at: home(at / "none"), False),
    "the disk alone": (lambda at: home(at, at / "disk", memory=0), True),
    "a disk without room": (lambda at: home(at, at / "disk", memory=0, size=0), False),
}


@pytest.mark.parametrize(("make", "kept"), PLANS.values(), ids=PLANS)
def test_what_a_runner_is_told(
    tmp_path: Path, make: Callable[[Path], WarmHome], kept: bool
) -> None:
    made = make(tmp_path)
    assert (made.plan is not None) == kept
    made.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from puna.runner.warm.home import WarmHome

made = WarmHome(1000, None, 0, Path(sys.argv[1]))
Path(made.plan.memory, "a.kv").write_bytes(b"x")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_server_left_is_removed_by_the_next(shared: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(shared)], check=False)
    (left,) = shared.iterdir()
    alive = home(shared)
    assert not left.exists()
    other = home(shared)
    assert alive.plan is not None
    assert Path(alive.plan.memory).is_dir()
    for each in (alive, other):
        each.close()
