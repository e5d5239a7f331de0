"""A download's file: units in any order, one hash, and what a kill or a power cut leaves of it."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.errors import StoreFull, WrongDownload
from puna.models.blobs import Blobs
from puna.models.digest import Digest
from puna.models.journal import Journal
from puna.models.partial import Partial, PartialBusy

UNIT = 64
DATA = random.Random(1).randbytes(10 * UNIT + 7)
DIGEST = Digest.of(DATA)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path)


def partial_of(blobs: Blobs, digest: Digest = DIGEST, size: int = len(DATA)) -> Partial:
    return Partial(blobs, digest, size, UNIT)


def unit_of(unit: int) -> bytes:
    return DATA[unit * UNIT : (unit + 1) * UNIT]


def hash_all(partial: Partial) -> None:
    while partial.can_hash:
        partial.hash_some()


def names(blobs: Blobs) -> set[str]:
    return {path.name for path in blobs.folder.iterdir()}


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(11)), st.lists(st.integers(0, 10), max_size=4), st.booleans())
def test_any_order_and_any_interruptions_make_the_blob(
    order: list[int], interruptions: list[int], with_syncs: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        blobs = Blobs(Path(folder))
        cuts = sorted({0, *interruptions, 11})
        for start, end in pairwise(cuts):
            with partial_of(blobs) as partial:
                assert [unit for unit in range(11) if partial.is_ready(unit)] == sorted(
                    order[:start]
                )
                for unit in order[start:end]:
                    partial.write(unit, unit_of(unit))
                    partial.hash_some()
                    if with_syncs:
                        partial.sync()
                assert partial.ready_bytes == sum(len(unit_of(unit)) for unit in order[:end])
                hash_all(partial)
                assert partial.is_hashed is (end == 11)
                if end == 11:
                    partial.commit()
        assert names(blobs) == {DIGEST.file_name}
        assert blobs.path(DIGEST).read_bytes() == DATA


def test_missing_runs(blobs: Blobs) -> None:
    with partial_of(blobs) as partial:
        assert partial.missing() == [(0, 11)]
        for unit in (0, 3, 4, 10):
            partial.write(unit, unit_of(unit))
        assert partial.missing() == [(1, 3), (5, 10)]


def test_wrong_bytes_leave_nothing(blobs: Blobs) -> None:
    with partial_of(blobs) as partial:
        for unit in range(11):
            partial.write(unit, unit_of(unit)[::-1])
        hash_all(partial)
        with pytest.raises(WrongDownload, match=f"want {DIGEST}, got sha256:"):
            partial.commit()
    assert names(blobs) == set()


def test_an_empty_blob(blobs: Blobs) -> None:
    empty = Digest.of(b"")
    with partial_of(blobs, empty, 0) as partial:
        assert partial.is_hashed
        partial.commit()
    assert blobs.path(empty).read_bytes() == b""


def test_a_unit_of_the_wrong_length_is_refused(blobs: Blobs) -> None:
    with partial_of(blobs) as partial, pytest.raises(ValueError, match="unit 10 has 64 bytes"):
        partial.write(10, bytes(UNIT))


def test_one_at_a_time(blobs: Blobs) -> None:
    with partial_of(blobs), pytest.raises(PartialBusy), partial_of(blobs):
        pass
    with partial_of(blobs):
        pass


def test_a_file_of_somebody_else_is_not_believed(blobs: Blobs) -> None:
    with partial_of(blobs) as partial:
        partial.write(0, unit_of(0))
    path = blobs.folder / f"{DIGEST.file_name}-partial"
    path.unlink()
    with partial_of(blobs) as partial:
        assert partial.missing() == [(0, 11)]


def test_more_than_the_disk_holds_is_refused_before_a_byte(blobs: Blobs) -> None:
    with pytest.raises(StoreFull, match=r"bytes|TB are needed"), partial_of(blobs, DIGEST, 2**62):
        pass


@pytest.fixture
def journal_path(tmp_path: Path) -> Path:
    return tmp_path / "x-partial.units"


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def journal(path: Path, boot: str, closing: ExitStack) -> Journal:
    made = Journal(path, 100 * UNIT, UNIT, boot)
    closing.callback(made.close)
    return made


def test_a_kill_loses_nothing_and_a_power_cut_what_was_not_synced(
    journal_path: Path, closing: ExitStack
) -> None:
    first = journal(journal_path, "aa", closing)
    first.start([1, 2])
    first.note(5)
    first.note(4)
    first.note_synced(3)
    first.note(9)
    assert journal(journal_path, "aa", closing).load() == [1, 2, 4, 5, 9]
    assert journal(journal_path, "bb", closing).load() == [1, 2, 5]


def test_another_size_is_another_file(journal_path: Path, closing: ExitStack) -> None:
    journal(journal_path, "aa", closing).start([1])
    assert Journal(journal_path, 100 * UNIT + 1, UNIT, "aa").load() == []
    assert Journal(journal_path, 100 * UNIT, UNIT * 2, "aa").load() == []


def test_units_beyond_the_end_do_not_count(journal_path: Path, closing: ExitStack) -> None:
    journal(journal_path, "aa", closing).start([1, 100, 10**18])
    assert journal(journal_path, "aa", closing).load() == [1]


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_can_be_read(noise: bytes, cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        whole = Journal(path, 100 * UNIT, UNIT, "aa")
        whole.start([1, 2, 3])
        whole.close()
        path.write_bytes(path.read_bytes()[:cut] + noise)
        assert set(Journal(path, 100 * UNIT, UNIT, "aa").load()) <= set(range(100))


@given(st.integers(0, 40))
def test_a_torn_end_costs_only_the_end(cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        whole = Journal(path, 100 * UNIT, UNIT, "aa")
        whole.start([])
        for unit in range(10, 30):
            whole.note(unit)
        whole.close()
        size = path.stat().st_size
        os.truncate(path, size - cut)
        lost = -(-cut // 4)  # a line is four bytes
        assert Journal(path, 100 * UNIT, UNIT, "aa").load() == list(range(10, 30 - lost))
