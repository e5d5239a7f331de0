"""A folder with a limit: what was used least recently goes, half a file is never seen."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from puna.errors import StoreError
from puna.models.durable import StoreLock
from puna.runner.warm.folder import copy_file, open_folder
from tests.e2e.server import until


def add(folder: Path, name: str, size: int, used: int, limit: int = 100) -> bool:
    return open_folder(folder, limit).add(f"{name}.kv", size, [bytes(size)], used_ns=used)


def names(folder: Path) -> list[str]:
    return [path.stem for path in open_folder(folder, 100).files()]


def total(folder: Path) -> int:
    with StoreLock(folder).held():
        return sum(path.stat().st_size for path in folder.glob("*.kv"))


def test_the_least_recently_used_goes(tmp_path: Path) -> None:
    for used, name in enumerate(["a", "b", "c"]):
        assert add(tmp_path, name, 30, used)
    os.utime(tmp_path / "a.kv", ns=(9, 9))
    gone: list[str] = []
    folder = open_folder(tmp_path, 100)
    assert folder.add("d.kv", 60, [bytes(60)], evicted=lambda path: gone.append(path.stem))
    assert names(tmp_path) == ["d", "a"]
    assert gone == ["b", "c"]
    assert (tmp_path / "d.kv").stat().st_mode & 0o777 == 0o600


def test_what_was_used_later_does_not_go_for_what_was_used_before(tmp_path: Path) -> None:
    assert add(tmp_path, "new", 80, 5)
    assert not add(tmp_path, "old", 80, 4)
    assert names(tmp_path) == ["new"]


@pytest.mark.parametrize(("limit", "spare"), [(99, None), (1000, 99)], ids=["limit", "spare"])
def test_what_never_fits_evicts_nothing(tmp_path: Path, limit: int, spare: int | None) -> None:
    folder = open_folder(tmp_path, limit, lambda: spare)
    assert folder.add("a.kv", 50, [bytes(50)])
    assert not folder.add("b.kv", 100, [bytes(100)])
    assert names(tmp_path) == ["a"]


def test_a_file_goes_to_another_folder_as_it_is(tmp_path: Path) -> None:
    add(tmp_path / "from", "a", 30, 77)
    assert copy_file(tmp_path / "from" / "a.kv", open_folder(tmp_path / "to", 100))
    copied = tmp_path / "to" / "a.kv"
    assert (copied.read_bytes(), copied.stat().st_mtime_ns) == (bytes(30), 77)


SLOW = """
import sys, time
from pathlib import Path
from puna.models.durable import StoreLock
from puna.runner.warm.folder import open_folder

def content():
    yield bytes(10)
    print("half", flush=True)
    time.sleep(60)

open_folder(Path(sys.argv[1]), 100).add("late.kv", 60, content())
"""


def test_killed_while_it_saves(tmp_path: Path) -> None:
    """Half a file is not there; its room is taken while its writer lives, and no longer."""
    add(tmp_path, "a", 30, 1)
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half\n"
        assert names(tmp_path) == ["a"]
        open_folder(tmp_path, 100).tidy()
        assert not add(tmp_path, "b", 60, 0)
        writer.kill()
    assert len(list(tmp_path.glob(".saving-*"))) == 1
    open_folder(tmp_path, 100).tidy()
    assert not list(tmp_path.glob(".saving-*"))
    assert names(tmp_path) == ["a"]
    assert add(tmp_path, "b", 60, 2)


def test_two_savers_keep_to_the_limit_together(tmp_path: Path) -> None:
    sizes: list[int] = []

    def save(part: int) -> None:
        for number in range(25):
            add(tmp_path, f"{part}-{number}", 7 + number, number)
            sizes.append(total(tmp_path))

    threads = [threading.Thread(target=save, args=(part,)) for part in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < max(sizes) <= 100


def test_room_is_made_by_one_at_a_time(tmp_path: Path) -> None:
    add(tmp_path, "a", 10, 1)
    with (tmp_path / ".puna.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=add, args=(tmp_path, "b", 10, 2))
        thread.start()
        thread.join(0.1)
        assert names(tmp_path) == ["a"]
    thread.join()
    until(lambda: names(tmp_path) == ["b", "a"], "the second is saved")


def test_who_may_write_to_it(tmp_path: Path) -> None:
    assert open_folder(tmp_path / "deep" / "new", 1).path.stat().st_mode & 0o777 == 0o700
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o775)
    (tmp_path / "file").touch()
    for name, words in {"open": "others may write", "file/x": "ensure path"}.items():
        with pytest.raises(StoreError, match=words):
            open_folder(tmp_path / name, 1)
    if os.geteuid() == 0:
        os.chown(tmp_path / "deep", 1, -1)
        with pytest.raises(StoreError, match="somebody else"):
            open_folder(tmp_path / "deep", 1)
