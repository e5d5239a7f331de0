"""Blobs: visible only when whole and verified, one file per content, nothing left behind."""

from __future__ import annotations

import os
import stat
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from puna.errors import BlobMissing, DigestMismatch
from puna.models.blobs import Blobs
from puna.models.digest import Digest
from puna.models.linking import Way

DATA = b"some weights"
DIGEST = Digest.of(DATA)
LONG_AGO = 1_000_000_000


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path)


def listing(blobs: Blobs) -> list[str]:
    return sorted(path.name for path in blobs.folder.iterdir())


def test_a_blob_is_stored_once(blobs: Blobs) -> None:
    assert blobs.add(DATA) == (DIGEST, True)
    os.utime(blobs.path(DIGEST), (LONG_AGO, LONG_AGO))
    assert blobs.add(DATA) == (DIGEST, False)
    assert listing(blobs) == [DIGEST.file_name]
    assert blobs.path(DIGEST).stat().st_mtime > LONG_AGO
    assert blobs.path(DIGEST).read_bytes() == DATA


def test_modes(blobs: Blobs) -> None:
    with blobs.writer() as writer:
        writer.write(DATA)
        (temp,) = blobs.folder.iterdir()
        assert stat.S_IMODE(temp.stat().st_mode) == 0o600
        assert temp.name.startswith("sha256-")
        assert len(temp.name) < 20
        writer.commit()
    assert stat.S_IMODE(blobs.path(DIGEST).stat().st_mode) == 0o644


def test_pieces_of_every_kind_are_joined(blobs: Blobs) -> None:
    with blobs.writer(expected=DIGEST) as writer:
        writer.write(DATA[:3])
        writer.write(bytearray(DATA[3:5]))
        writer.write(memoryview(DATA)[5:])
        assert writer.size == len(DATA)
        assert not blobs.has(DIGEST)
        assert writer.commit() == (DIGEST, True)
    assert blobs.has(DIGEST)
    assert blobs.size(DIGEST) == len(DATA)


def test_the_wrong_bytes_do_not_stay(blobs: Blobs) -> None:
    expected = Digest.of(b"other")

    def write() -> None:
        with blobs.writer(expected) as writer:
            writer.write(DATA)
            writer.commit()

    with pytest.raises(DigestMismatch) as caught:
        write()
    assert str(caught.value) == f'digest mismatch, expected "{expected}", got "{DIGEST}"'
    assert listing(blobs) == []


def test_an_error_in_mid_write_leaves_nothing(blobs: Blobs) -> None:
    def write() -> None:
        with blobs.writer() as writer:
            writer.write(DATA)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert listing(blobs) == []


def test_without_commit_nothing_stays(blobs: Blobs) -> None:
    with blobs.writer() as writer:
        writer.write(DATA)
    assert listing(blobs) == []


def test_a_truncated_blob_is_repaired(blobs: Blobs) -> None:
    blobs.add(DATA)
    blobs.path(DIGEST).write_bytes(DATA[:4])
    assert blobs.add(DATA) == (DIGEST, True)
    assert blobs.path(DIGEST).read_bytes() == DATA


def test_reading_sets_aside_no_more_than_there_is(blobs: Blobs) -> None:
    digest = blobs.add(b"x" * 100).digest
    tracemalloc.start()
    try:
        assert blobs.read(digest, 1 << 30) == b"x" * 100
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert blobs.read(digest, 10) == b"x" * 11


def test_refreshing_tells_the_size(blobs: Blobs) -> None:
    blobs.add(DATA)
    os.utime(blobs.path(DIGEST), (LONG_AGO, LONG_AGO))
    assert blobs.refresh(DIGEST) == len(DATA)
    assert blobs.path(DIGEST).stat().st_mtime > LONG_AGO


def test_what_is_missing_is_named(blobs: Blobs) -> None:
    assert not blobs.has(DIGEST)
    for call in (blobs.size, blobs.refresh, lambda digest: blobs.read(digest, 10)):
        with pytest.raises(BlobMissing, match=str(DIGEST)):
            call(DIGEST)
    blobs.discard(DIGEST)


def test_many_threads_make_one_blob(blobs: Blobs) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(blobs.add, [DATA] * 32))
    assert sum(created for _, created in results) == 1
    assert listing(blobs) == [DIGEST.file_name]


def test_a_blob_that_was_changed_under_its_other_name_is_replaced(tmp_path: Path) -> None:
    """A program that writes its file anew in place changes the blob that is linked to it."""
    blobs = Blobs(tmp_path / "store")
    weights, backup = tmp_path / "weights", tmp_path / "backup"
    weights.write_bytes(b"first")
    backup.write_bytes(b"first")
    first = blobs.adopt(weights)
    if first.way is not Way.LINKED:
        pytest.skip("this disk clones: nothing is changed under two names")
    assert blobs.adopt(weights) == first._replace(way=Way.PRESENT)
    with weights.open("r+b") as file:
        file.write(b"other")
    assert blobs.path(first.digest).read_bytes() == b"other"
    assert blobs.adopt(backup).digest == first.digest
    assert blobs.path(first.digest).read_bytes() == b"first"
    assert weights.read_bytes() == b"other"
    assert {path.name for path in blobs.folder.iterdir()} == {first.digest.file_name}
