"""Blobs that somebody works with stay, as long as that process lives and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.name import Name
from tests.fakes.stores import add_model

NOW = 2_000_000_000.0
DATA = b"held"
DIGEST = Digest.of(DATA)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


def test_a_held_blob_and_its_download_are_not_pruned(library: Library) -> None:
    library.blobs.add(DATA)
    partial = library.blobs.folder / f"{DIGEST.file_name}-partial-0"
    partial.write_bytes(b"{}")
    other = library.blobs.folder / f"{Digest.of(b'x').file_name}-partial"
    other.write_bytes(b"")
    with library.holding({DIGEST}):
        assert list(library.prune(NOW).files) == [other.name]
        assert library.remove_unreferenced({DIGEST}) == []
    assert sorted(library.prune(NOW).files) == [DIGEST.file_name, partial.name]


def test_deleting_a_model_leaves_what_another_is_being_made_of(library: Library) -> None:
    manifest = add_model(library, "parent", DATA)
    with library.holding(manifest.digests):
        library.delete(Name.parse("parent"))
        library.write(Name.parse("child"), manifest)
    assert library.blobs.read(DIGEST, 10) == DATA


def test_a_blob_being_written_is_not_pruned(library: Library) -> None:
    with library.blobs.writer() as writer:
        writer.write(DATA)
        garbage = library.prune(NOW, 0)
        assert (garbage.files, garbage.held) == ({}, 1)
        writer.commit()
    assert library.blobs.has(DIGEST)


def test_a_locked_file_keeps_its_whole_download(library: Library) -> None:
    library.blobs.add(b"")
    data = library.blobs.folder / f"{DIGEST.file_name}-partial"
    part = library.blobs.folder / f"{DIGEST.file_name}-partial-0"
    part.write_bytes(b"{}")
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX);"
        "print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        garbage = library.prune(NOW)
        assert (len(garbage.files), garbage.held) == (1, 2)
        process.kill()
    assert sorted(library.prune(NOW).files) == [data.name, part.name]


def test_a_hold_ends_with_its_process(library: Library, tmp_path: Path) -> None:
    library.blobs.add(DATA)
    code = (
        "import sys, pathlib; from puna.models.library import Library;"
        "from puna.models.digest import Digest\n"
        "with Library(pathlib.Path(sys.argv[1])).holding({Digest(sys.argv[2])}):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), DIGEST.hex],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert library.prune(NOW).files == {}
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert list(library.prune(NOW).files) == [DIGEST.file_name]
    assert [path for path in tmp_path.rglob("hold-*") if path.is_file()] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_file_that_cannot_be_opened_stays(library: Library) -> None:
    library.blobs.add(DATA)
    library.blobs.path(DIGEST).chmod(0)
    garbage = library.prune(NOW)
    assert (garbage.files, garbage.held) == ({}, 1)


def test_a_damaged_hold_holds_nothing(library: Library, tmp_path: Path) -> None:
    library.blobs.add(DATA)
    with library.holding(set()):
        [path] = [path for path in tmp_path.rglob("hold-*") if path.is_file()]
        path.write_bytes(b"\xff\nsha256:1\n")
        assert list(library.prune(NOW).files) == [DIGEST.file_name]


def test_a_dry_run_finds_the_same_and_deletes_nothing(library: Library) -> None:
    library.blobs.add(DATA)
    found = library.prune(NOW, dry_run=True)
    assert library.blobs.has(DIGEST)
    assert found.files == {DIGEST.file_name: 4096}
    assert library.prune(NOW) == found


def test_young_files_stay_whatever_is_asked(library: Library) -> None:
    path = library.blobs.path(library.blobs.add(DATA).digest)
    written = path.stat().st_ctime
    assert library.prune(written + 9, 0).files == {}
    assert library.prune(written + 99, 100).files == {}
    assert list(library.prune(written + 11, 0).files) == [DIGEST.file_name]
