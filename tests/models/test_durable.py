"""A killed writer leaves a store that reads; a full disk is named; the lock excludes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from puna.errors import StoreFull
from puna.models.durable import StoreLock, make_folders, naming_full_disk, replace_file, write_all


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked child")
def test_a_kill_at_any_line_leaves_every_model_readable(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.models.kill_lines", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        check=True,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's always full device")
def test_a_full_disk_is_named() -> None:
    handle = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(StoreFull, match="no space left on the disk of /store"):
            write_full(handle)
    finally:
        os.close(handle)


def write_full(handle: int) -> None:
    with naming_full_disk(Path("/store")):
        write_all(handle, b"x")


def test_other_failures_keep_their_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "absent" / "file", b"", tmp_path / "absent", ".tmp-")


def test_a_failed_replacement_leaves_no_temporary(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        replace_file(target, b"new", tmp_path, ".tmp-")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


HOLDER = """
import sys, time
from pathlib import Path
from puna.models.durable import StoreLock
with StoreLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(0.3)
    Path(sys.argv[1], "done").touch()
"""


def test_the_lock_excludes_other_processes(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with StoreLock(tmp_path).held():
            assert (tmp_path / "done").exists()


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    make_folders(tmp_path / "a" / "b" / "c")
    make_folders(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
