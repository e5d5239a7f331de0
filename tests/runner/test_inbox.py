"""The inbox hands everything to its one reader, in order, and survives one who gave up."""

from __future__ import annotations

import asyncio

import pytest

from puna.runner.inbox import Inbox


def test_everything_comes_out_in_order() -> None:
    async def scene() -> list[int]:
        inbox: Inbox[int] = Inbox()
        for number in range(3):
            inbox.put(number)
        return [await inbox.get() for _ in range(3)]

    assert asyncio.run(scene()) == [0, 1, 2]


def test_a_reader_is_woken_once_for_all_that_came() -> None:
    async def scene() -> None:
        inbox: Inbox[int] = Inbox()
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(inbox.get())
            await asyncio.sleep(0)
            inbox.put(1)
            inbox.put(2)
        assert reading.result() == 1
        assert await inbox.get() == 2

    asyncio.run(scene())


@pytest.mark.parametrize("is_woken", [False, True])
def test_what_comes_for_a_reader_that_gave_up_is_kept(is_woken: bool) -> None:
    async def scene() -> None:
        inbox: Inbox[int] = Inbox()
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(inbox.get())
            await asyncio.sleep(0)
            if is_woken:
                inbox.put(1)
            reading.cancel()
        assert reading.cancelled()
        if not is_woken:
            inbox.put(1)
        assert await inbox.get() == 1

    asyncio.run(scene())
