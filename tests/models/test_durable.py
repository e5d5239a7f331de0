"""A killed writer leaves a store that reads; a full disk is named; the lock excludes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from puna.errors import StoreFull
from puna.models.digest import Digest
from puna.models.durable import StoreLock, make_folders, naming_full_disk, replace_file, write_all
from puna.models.library import Library
from puna.models.manifest import MODEL, Layer, Manifest
from puna.models.name import Name

SHARED = b"weights" * 100
WATCHED = {"blobs.py", "durable.py", "library.py", "upkeep.py"}


def change_the_store(library: Library) -> None:
    """What a busy server does: replace a model, copy it, delete one, clear what it used."""
    fresh = b"%d" % os.getpid() * 100
    layers = [Layer(MODEL, library.blobs.add(data).digest, len(data)) for data in (SHARED, fresh)]
    before = library.write(Name.parse("model"), Manifest(layers=tuple(layers)))
    used = library.read(before).manifest.digests
    library.copy(before, Name.parse("me/copy"))
    library.write(before, Manifest(layers=tuple(layers[:1])))
    library.delete(Name.parse("me/copy"))
    library.remove_unreferenced(used)


def die_at_line(number: int, work: Callable[[], None]) -> bool:
    """Do the work in a forked child that kills itself at the n-th line of the store's own code.

    Returns False when the child came to the end of its work first.
    """
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        ended = os.waitstatus_to_exitcode(status)
        assert ended in {0, -signal.SIGKILL}
        return ended != 0
    left = number

    def trace(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        nonlocal left
        if Path(frame.f_code.co_filename).name not in WATCHED:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    code = 1
    sys.settrace(trace)
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def check_the_store(library: Library) -> None:
    """Nothing half made is visible, and nothing that is needed is gone."""
    entries = list(library.entries())
    assert [entry.name for entry in entries] == library.names()
    assert library.read(Name.parse("keeper")).manifest.layers
    for entry in entries:
        for layer in entry.manifest.blobs:
            assert library.blobs.size(layer.digest) == layer.size
    for path in library.blobs.folder.glob("sha256-" + "?" * 64):
        assert Digest.of(path.read_bytes()).file_name == path.name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked child")
def test_a_kill_at_any_line_leaves_every_model_readable(tmp_path: Path) -> None:
    library = Library(tmp_path)
    keeper = Layer(MODEL, library.blobs.add(SHARED).digest, len(SHARED))
    library.write(Name.parse("keeper"), Manifest(layers=(keeper,)))
    kills = 0
    while die_at_line(kills + 1, lambda: change_the_store(library)):
        kills += 1
        check_the_store(library)
    assert kills > 100
    library.prune(time.time() + 7200)  # the lock died with its holders
    check_the_store(library)
    needed = {digest for entry in library.entries() for digest in entry.manifest.digests}
    assert {path.name for path in library.blobs.folder.iterdir()} == {
        digest.file_name for digest in needed
    }
    assert not list(library.manifests.rglob(".*"))


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
