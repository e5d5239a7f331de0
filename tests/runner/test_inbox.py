"""The inbox hands everything to its one reader, in order, and survives one who gave up."""

from __future__ import annotations

import asyncio

import pytest

from puna.runner.inbox import Inbox


async def test_everything_comes_out_in_order() -> None:
    inbox: Inbox[int] = Inbox()
    for number in range(3):
        inbox.put(number)
    assert [await inbox.get() for _ in range(3)] == [0, 1, 2]


async def test_a_reader_is_woken_once_for_all_that_came() -> None:
    inbox: Inbox[int] = Inbox()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(inbox.get())
        await asyncio.sleep(0)
        inbox.put(1)
        inbox.put(2)
    assert reading.result() == 1
    assert await inbox.get() == 2


@pytest.mark.parametrize("is_early", [False, True], ids=["nothing was there", "it was woken"])
async def test_what_comes_for_a_reader_that_gave_up_is_kept(is_early: bool) -> None:
    inbox: Inbox[int] = Inbox()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(inbox.get())
        await asyncio.sleep(0)
        if is_early:
            inbox.put(1)
        reading.cancel()
    assert reading.cancelled()
    if not is_early:
        inbox.put(1)
    assert await inbox.get() == 1
