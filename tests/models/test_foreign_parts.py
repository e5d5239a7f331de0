"""Downloads that the reference has begun: what is taken over, and what is not believed."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import WrongDownload
from puna.models.blobs import Blobs
from puna.models.digest import Digest
from puna.models.foreign_parts import ForeignParts, units_within
from puna.models.partial import Partial

UNIT = 64
PART = 300
DATA = random.Random(1).randbytes(3 * PART + 7)
DIGEST = Digest.of(DATA)
NAME = f"{DIGEST.file_name}-partial"


def begin(folder: Path, completed: list[int]) -> None:
    """Leave what the reference leaves: a sparse data file, and a file for each part."""
    folder.mkdir(exist_ok=True)
    with (folder / NAME).open("wb") as file:
        file.truncate(len(DATA))
        for number, done in enumerate(completed):
            offset = number * PART
            file.seek(offset)
            file.write(DATA[offset : offset + done])
    for number, done in enumerate(completed):
        size = min(PART, len(DATA) - number * PART)
        write(folder, number, N=number, Offset=number * PART, Size=size, Completed=done)


def write(folder: Path, number: int, **fields: object) -> None:
    (folder / f"{NAME}-{number}").write_text(json.dumps(fields, separators=(",", ":")))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def fill(partial: Partial) -> None:
    for start, end in partial.missing():
        for unit in range(start, end):
            partial.write(unit, DATA[unit * UNIT : (unit + 1) * UNIT])
    while partial.can_hash:
        partial.hash_some()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path)


def test_what_is_there_is_not_fetched_again(blobs: Blobs) -> None:
    begin(blobs.folder, [PART, 100, 0, 7])
    with Partial(blobs, DIGEST, len(DATA), UNIT) as partial:
        # bytes 0-400 are units 0-5, bytes 900-907 only the second half of the last
        assert partial.missing() == [(6, 15)]
        assert partial.was_begun
        fill(partial)
        partial.commit()
    assert blobs.path(DIGEST).read_bytes() == DATA
    assert names(blobs.folder) == {DIGEST.file_name}


def test_a_unit_on_the_border_of_two_whole_parts_counts(blobs: Blobs) -> None:
    begin(blobs.folder, [PART, PART, 0, 0])
    with Partial(blobs, DIGEST, len(DATA), UNIT) as partial:
        assert partial.missing() == [(2 * PART // UNIT, 15)]


def test_the_state_of_the_reference_stays_until_the_end(blobs: Blobs) -> None:
    begin(blobs.folder, [PART, 0, 0, 0])
    with Partial(blobs, DIGEST, len(DATA), UNIT) as partial:
        partial.write(9, DATA[9 * UNIT : 10 * UNIT])
    parts = {f"{NAME}-{number}" for number in range(4)}
    assert names(blobs.folder) == {NAME, f"{NAME}.units", *parts}
    (blobs.folder / f"{NAME}-2").unlink()  # ours are noted in our own way by now
    with Partial(blobs, DIGEST, len(DATA), UNIT) as partial:
        assert partial.missing() == [(4, 9), (10, 15)]


def test_nothing_of_ours_looks_like_a_part(blobs: Blobs) -> None:
    with Partial(blobs, DIGEST, len(DATA), UNIT):
        assert list(blobs.folder.glob(f"{NAME}-*")) == []


def test_a_lie_is_found_by_the_hash(blobs: Blobs) -> None:
    begin(blobs.folder, [PART, 0, 0, 0])
    write(blobs.folder, 1, N=1, Offset=PART, Size=PART, Completed=PART)
    with Partial(blobs, DIGEST, len(DATA), UNIT) as partial:
        fill(partial)
        with pytest.raises(WrongDownload):
            partial.commit()
    assert names(blobs.folder) == set()


def test_a_data_file_of_another_size_has_nothing(blobs: Blobs) -> None:
    begin(blobs.folder, [PART, PART, PART, 7])
    (blobs.folder / NAME).write_bytes(DATA[:-1])
    with Partial(blobs, DIGEST, len(DATA), UNIT) as partial:
        assert partial.missing() == [(0, 15)]
    assert names(blobs.folder) == {NAME, f"{NAME}.units"}


@pytest.mark.parametrize("gone", [0, 1, 3])
def test_where_a_part_is_missing_none_counts(tmp_path: Path, gone: int) -> None:
    begin(tmp_path, [PART, PART, PART, 7])
    (tmp_path / f"{NAME}-{gone}").unlink()
    assert ForeignParts(tmp_path / NAME).load(len(DATA)) == []


DAMAGED = {
    "empty": b"",
    "torn": b'{"N":1,"Offs',
    "no object": b"[]",
    "a missing field": b'{"N":1,"Offset":300,"Size":300}',
    "more than all": b'{"N":1,"Offset":300,"Size":300,"Completed":301}',
    "less than nothing": b'{"N":1,"Offset":300,"Size":300,"Completed":-1}',
    "another place": b'{"N":1,"Offset":299,"Size":300,"Completed":1}',
    "a true number": b'{"N":1,"Offset":300,"Size":300,"Completed":true}',
    "a fraction": b'{"N":1,"Offset":300,"Size":300,"Completed":1.5}',
    "deep": b"[" * 4000,
}


@pytest.mark.parametrize("raw", DAMAGED.values(), ids=DAMAGED)
def test_where_a_part_is_damaged_none_counts(tmp_path: Path, raw: bytes) -> None:
    begin(tmp_path, [PART, PART, PART, 7])
    assert ForeignParts(tmp_path / NAME).load(len(DATA)) == [(0, len(DATA))]
    (tmp_path / f"{NAME}-1").write_bytes(raw)
    assert ForeignParts(tmp_path / NAME).load(len(DATA)) == []


@given(st.lists(st.binary(max_size=80), max_size=5))
def test_any_bytes_can_be_read(parts: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, raw in enumerate(parts):
            Path(folder, f"{NAME}-{number}").write_bytes(raw)
        for start, end in ForeignParts(Path(folder, NAME)).load(len(DATA)):
            assert 0 <= start < end <= len(DATA)


@given(st.integers(1, 500), st.integers(1, 60), st.data())
def test_units_lie_within_their_runs(size: int, unit: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, size))
    end = data.draw(st.integers(start, size))
    for each in units_within([(start, end)], unit, size):
        assert start <= each * unit < min((each + 1) * unit, size) <= end
