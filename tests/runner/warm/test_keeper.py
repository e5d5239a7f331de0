"""What is saved of one model: found in memory and on the disk; faults are log lines."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from puna.runner.protocol import WarmPlan
from puna.runner.warm.keeper import Keeper, open_keeper
from tests.e2e.server import until

MODEL, OTHER = bytes(32), bytes([0] * 31 + [1])  # their files have the same beginning of a name
TOKENS = list(range(20))
PAYLOAD = memoryview(b"cells" * 20)
FILE = 120 + 32 + 4 * 20 + 100  # bytes, about


def plan(tmp_path: Path, **fields: int) -> WarmPlan:
    return WarmPlan(
        memory=str(tmp_path / "memory"),
        disk=str(tmp_path / "disk"),
        memory_limit=fields.get("memory", 1 << 20),
        disk_limit=fields.get("disk", 1 << 20),
    )


def saved(tmp_path: Path) -> dict[str, int]:
    places = ("memory", "disk")
    return {place: len(list((tmp_path / place).glob("*.kv"))) for place in places}


def found(keeper: Keeper, tokens: list[int]) -> list[bytes | None]:
    return [
        bytes(payload) if (payload := keeper.read(part.entry)) else None
        for part in keeper.cover(tokens)
    ]


def test_memory_first_then_the_disk(tmp_path: Path) -> None:
    keeper = open_keeper(plan(tmp_path, memory=2 * FILE), MODEL)
    for first in range(5):
        assert keeper.save([first, *TOKENS], 0, PAYLOAD)
    counts = saved(tmp_path)
    assert counts["memory"] + counts["disk"] == 5
    assert counts["memory"] in {1, 2}
    fresh = open_keeper(plan(tmp_path, memory=2 * FILE), MODEL)
    assert [found(fresh, [first, *TOKENS, 7]) for first in range(5)] == [[bytes(PAYLOAD)]] * 5


def test_no_room_anywhere(tmp_path: Path) -> None:
    keeper = open_keeper(plan(tmp_path, memory=10, disk=10), MODEL)
    assert not keeper.save(TOKENS, 0, PAYLOAD)
    assert found(keeper, TOKENS) == []


def test_cells_that_the_engine_could_not_give(tmp_path: Path) -> None:
    assert not open_keeper(plan(tmp_path), MODEL).save(TOKENS, 0, memoryview(b""))
    assert saved(tmp_path) == {"memory": 0, "disk": 0}


def test_off(tmp_path: Path) -> None:
    keeper = open_keeper(plan(tmp_path, memory=0, disk=0), MODEL)
    assert not keeper.save(TOKENS, 0, PAYLOAD)
    assert not (tmp_path / "memory").exists()


def test_what_was_used_is_kept_longer(tmp_path: Path) -> None:
    keeper = open_keeper(plan(tmp_path, memory=0, disk=2 * FILE), MODEL)
    for first in (1, 2):
        keeper.save([first, *TOKENS], 0, PAYLOAD)
    os.utime(next(iter((tmp_path / "disk").glob("*.kv"))), ns=(1, 1))
    keeper.touch(keeper.cover([1, *TOKENS]))
    keeper.save([3, *TOKENS], 0, PAYLOAD)
    fresh = open_keeper(plan(tmp_path), MODEL)
    assert fresh.cover([1, *TOKENS])
    assert not fresh.cover([2, *TOKENS])


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def let_others_write(path: Path) -> None:
    path.chmod(0o666)


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "damaged": (damage, "checksum"),
    "cut short": (cut_short, "length"),
    "open to others": (let_others_write, "somebody else"),
}


@pytest.mark.parametrize("early", [True, False], ids=["before the load", "after the load"])
@pytest.mark.parametrize(("spoil", "words"), FAULTS.values(), ids=FAULTS)
def test_a_bad_file_is_a_log_line(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
    words: str,
    early: bool,
) -> None:
    open_keeper(plan(tmp_path), MODEL).save(TOKENS, 0, PAYLOAD)
    (path,) = (tmp_path / "memory").glob("*.kv")
    keeper = open_keeper(plan(tmp_path), MODEL)
    spoil(path)
    if early:
        keeper = open_keeper(plan(tmp_path), MODEL)
    assert found(keeper, TOKENS) in ([], [None])
    assert found(keeper, TOKENS) == []
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert words in record.getMessage()
    assert str(path) in record.getMessage()


def test_another_model_s_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_keeper(plan(tmp_path), OTHER).save(TOKENS, 0, PAYLOAD)
    assert found(open_keeper(plan(tmp_path), MODEL), TOKENS) == []
    assert "another model" in caplog.text
    assert saved(tmp_path)["memory"] == 1


def test_a_file_that_is_gone_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_keeper(plan(tmp_path), MODEL).save(TOKENS, 0, PAYLOAD)
    keeper = open_keeper(plan(tmp_path), MODEL)
    next((tmp_path / "memory").glob("*.kv")).unlink()
    assert found(keeper, TOKENS) == [None]
    assert not caplog.records


def test_a_file_whose_name_is_another_prompt_s(tmp_path: Path) -> None:
    """Only what the head says counts."""
    open_keeper(plan(tmp_path), MODEL).save(TOKENS, 0, PAYLOAD)
    keeper = open_keeper(plan(tmp_path), MODEL)
    (path,) = (tmp_path / "memory").glob("*.kv")
    open_keeper(plan(tmp_path), MODEL).save([9, *TOKENS], 0, PAYLOAD)
    (other,) = set((tmp_path / "memory").glob("*.kv")) - {path}
    other.replace(path)
    assert found(keeper, TOKENS) == [None]


def test_a_folder_that_others_may_write_to_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk").chmod(0o777)
    open_keeper(plan(tmp_path, memory=0), MODEL).save(TOKENS, 0, PAYLOAD)
    assert not list((tmp_path / "disk").iterdir())
    assert "others may write" in caplog.text


def test_what_is_read_ahead_is_checked_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for first in (1, 2):
        open_keeper(plan(tmp_path), MODEL).save([first, *TOKENS], 0, PAYLOAD)
    keeper = open_keeper(plan(tmp_path), MODEL)
    (good,), (bad,) = (keeper.cover([first, *TOKENS]) for first in (1, 2))
    damage(bad.entry.path)
    for part, expected in ((good, bytes(PAYLOAD)), (bad, None)):
        until(lambda part=part: keeper.are_read([part]), "the file is read")  # type: ignore[misc]
        payload = keeper.read(part.entry)
        assert (bytes(payload) if payload else None) == expected
    assert "checksum" in caplog.text
    assert not bad.entry.path.exists()
