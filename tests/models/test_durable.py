"""A killed writer leaves a store that reads; a full disk is named; the lock excludes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from puna.errors import StoreFull
from puna.models.digest import Digest
from puna.models.durable import StoreLock, make_folders, naming_full_disk, replace_file, write_all
from puna.models.library import Library
from puna.models.name import Name

WRITER = """
import itertools, sys
from pathlib import Path
from puna.models.library import Library
from puna.models.manifest import MODEL, Layer, Manifest
from puna.models.name import Name

library = Library(Path(sys.argv[1]))
print("ready", flush=True)
for turn in itertools.count():
    contents = [b"shared" * 5000, b"%d" % turn * 20000, b"x%d" % turn]
    written = [(library.blobs.add(content).digest, len(content)) for content in contents]
    manifest = Manifest(layers=tuple(Layer(MODEL, *pair) for pair in written))
    library.write(Name.parse(f"model{turn % 3}"), manifest)
    library.copy(Name.parse(f"model{turn % 3}"), Name.parse(f"copy{turn % 5}"))
    if turn % 4 == 3:
        library.delete(Name.parse(f"copy{turn % 5}"))
"""


def kill_a_writer(root: Path, after: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(after)
        assert writer.poll() is None
        writer.kill()


def test_a_killed_writer_leaves_every_model_readable(tmp_path: Path) -> None:
    library = Library(tmp_path)
    seen = 0
    for turn in range(12):
        kill_a_writer(tmp_path, random.Random(turn).uniform(0.0, 0.06))
        entries = list(library.entries())
        assert len(entries) == len(library.names())
        for entry in entries:
            for layer in entry.manifest.blobs:
                raw = library.blobs.path(layer.digest).read_bytes()
                assert Digest.of(raw) == layer.digest
                assert len(raw) == layer.size
        seen += len(entries)
    assert seen > 0
    for path in library.blobs.folder.iterdir():
        if len(path.name) == len("sha256-") + 64:
            assert Digest.of(path.read_bytes()).file_name == path.name
    before = [entry.name for entry in library.entries()]
    library.prune(time.time() + 7200)
    assert [entry.name for entry in library.entries()] == before
    assert not list(library.manifests.glob("*/*/.puna-*"))
    needed = {digest for entry in library.entries() for digest in entry.manifest.digests}
    assert {path.name for path in library.blobs.folder.iterdir()} == {
        digest.file_name for digest in needed
    }
    library.delete(Name.parse(before[0].full))  # the lock died with its holders


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
