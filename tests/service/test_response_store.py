"""Stored responses: what is found again, what goes when, and what a damaged file costs."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from puna.errors import ResponseNotFound, StoreError
from puna.service.response_store import Kept, ResponseStore

HOUR = 3600.0


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def kept(name: str, previous: str | None = None, size: int = 10) -> Kept:
    body = b'"%b"' % (b"x" * (size - 2))
    return Kept(name, previous, body, [(f"in-{name}", b"1")], [(f"out-{name}", b"2")])


def store(path: Path, size: int = 1 << 20, clock: Clock | None = None) -> ResponseStore:
    return ResponseStore(path / "home" / "responses.sqlite3", size, HOUR, clock or Clock())


def run(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


async def missing(some: ResponseStore, *names: str) -> list[str]:
    out = []
    for name in names:
        try:
            await some.body("a", name)
        except ResponseNotFound:
            out.append(name)
    return out


def test_a_conversation_is_found_again_after_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        some = store(tmp_path)
        assert await some.keep("a", kept("1"))
        assert await some.keep("a", kept("2", "1"))
        assert await some.keep("a", kept("other", "1"))
        await some.close()
        again = store(tmp_path)
        assert await again.body("b", "1") == kept("1").body  # who has the id may read it
        ids = [item for item, _ in await again.history("a", "2")]
        assert ids == ["in-1", "out-1", "in-2", "out-2"]
        assert [item for item, _ in await again.inputs("a", "2")] == ids[:-1]
        await again.close()

    run(scene())


def test_the_file_is_the_users_alone(tmp_path: Path) -> None:
    async def scene() -> None:
        some = store(tmp_path)
        await some.keep("a", kept("1"))
        modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "home").iterdir()}
        assert modes == {0o600}
        await some.close()

    run(scene())


def test_what_is_deleted_stays_only_under_what_builds_on_it(tmp_path: Path) -> None:
    async def scene() -> None:
        some = store(tmp_path)
        for name, previous in (("1", None), ("2", "1"), ("3", "2")):
            await some.keep("a", kept(name, previous))
        await some.delete("a", "1")
        await some.delete("a", "2")
        assert await missing(some, "1", "2", "3") == ["1", "2"]
        with pytest.raises(ResponseNotFound):
            await some.history("a", "2")
        with pytest.raises(ResponseNotFound):
            await some.delete("a", "2")
        assert len(await some.history("a", "3")) == 6
        await some.delete("a", "3")
        assert await some.items("a", ["out-1", "in-2", "out-3"]) == {}
        await some.close()

    run(scene())


def test_what_is_not_used_for_a_time_goes(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = Clock()
        some = store(tmp_path, clock=clock)
        await some.keep("a", kept("old"))
        await some.keep("a", kept("used"))
        clock.now += HOUR - 1
        await some.history("a", "used")
        clock.now += 2
        assert await missing(some, "old", "used") == ["old"]
        assert await some.items("a", ["out-old", "out-used"]) == {"out-used": b"2"}
        async with asyncio.TaskGroup() as group:
            tidying = group.create_task(some.tidy())
            await asyncio.sleep(0)
            await some.body("a", "used")  # stands behind the tidying in the one thread
            tidying.cancel()
        assert rows(tmp_path) == {"used"}
        await some.close()

    run(scene())


def rows(path: Path) -> set[str]:
    with sqlite3.connect(path / "home" / "responses.sqlite3") as db:
        return {row[0] for row in db.execute("SELECT id FROM responses")}


def test_room_is_made_by_whoever_has_most(tmp_path: Path) -> None:
    async def scene() -> None:
        some = store(tmp_path, 1000)
        await some.keep("small", kept("mine", size=150))
        for number in range(8):
            assert await some.keep("large", kept(f"{number}", size=150))
        gone = await missing(some, "mine", *map(str, range(8)))
        assert gone == ["0", "1", "2"]
        await some.close()

    run(scene())


def test_a_conversation_that_is_too_large_is_not_stored(tmp_path: Path) -> None:
    async def scene() -> None:
        some = store(tmp_path, 1000)
        assert not await some.keep("a", kept("large", size=300))
        assert await some.keep("a", kept("1", size=150))
        assert not await some.keep("a", kept("2", "1", size=150))
        assert not await some.keep("a", kept("3", "nobody", size=10))
        assert await missing(some, "large", "1", "2", "3") == ["large", "2", "3"]
        await some.close()

    run(scene())


@pytest.mark.parametrize(("size", "age"), [(0, HOUR), (1 << 20, 0.0)], ids=["no bytes", "no time"])
def test_nothing_is_stored_where_a_limit_is_zero(tmp_path: Path, size: int, age: float) -> None:
    async def scene() -> None:
        some = ResponseStore(tmp_path / "file", size, age)
        assert not some.is_on
        assert not await some.keep("a", kept("1"))
        assert await missing(some, "1") == ["1"]
        assert await some.items("a", ["out-1"]) == {}
        await some.tidy()
        await some.close()

    run(scene())
    assert not list(tmp_path.iterdir())


def test_ids_that_clients_gave_are_their_own(tmp_path: Path) -> None:
    async def scene() -> None:
        some = store(tmp_path)
        await some.keep("a", Kept("1", None, b"1", [("msg_1", b'"mine"')], []))
        await some.keep("b", Kept("2", None, b"1", [("msg_1", b'"theirs"')], [("out", b"1")]))
        assert await some.items("a", ["msg_1", "out"]) == {"msg_1": b'"mine"', "out": b"1"}
        assert await some.items("b", ["msg_1"]) == {"msg_1": b'"theirs"'}
        assert await some.items("c", ["msg_1"]) == {}
        await some.close()

    run(scene())


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database at all" * 400)


def _torn(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


@pytest.mark.parametrize("damage", [_garbage, _torn, _newer])
def test_a_damaged_file_is_set_aside(
    tmp_path: Path, damage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        some = store(tmp_path)
        for number in range(20):
            await some.keep("a", kept(str(number), size=4000))
        await some.close()
        damage(tmp_path / "home" / "responses.sqlite3")
        again = store(tmp_path)
        assert await missing(again, "1") == ["1"]
        assert await again.keep("a", kept("new"))
        assert await missing(again, "new") == []
        await again.close()

    run(scene())
    (line,) = [record.message for record in caplog.records if "set aside" in record.message]
    (aside,) = (tmp_path / "home").glob("*.damaged-*")
    assert aside.name in line


def test_a_folder_that_cannot_be_written_costs_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        some = store(tmp_path)
        assert not await some.keep("a", kept("1"))
        with pytest.raises(StoreError):
            await some.body("a", "1")
        await some.close()

    (tmp_path / "home").write_text("a file where the folder should be")
    run(scene())
    assert "was not stored" in caplog.text


def test_nobody_waits_for_a_client_with_many_requests(tmp_path: Path) -> None:
    """A hundred accesses of one client wait while another's single one is served."""

    async def scene() -> None:
        some = store(tmp_path)
        await some.keep("a", kept("1"))
        served: list[str] = []

        async def ask(client: str) -> None:
            await some.body(client, "1")
            served.append(client)

        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(ask("many"))
            group.create_task(ask("one"))
        assert served.index("one") < 5
        await some.close()

    run(scene())
