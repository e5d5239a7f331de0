"""Work that ends when nobody waits for it any more: the client hung up, or the server closes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from enum import Enum
from typing import Any

from starlette.types import Receive

__all__ = ["Ending", "until_unwanted"]


class Ending(Enum):
    """Why the work ended."""

    DONE = "done"
    HUNG_UP = "hung up"
    CLOSING = "closing"


async def until_unwanted(
    work: Coroutine[Any, Any, None], receive: Receive, closing: asyncio.Event
) -> Ending:
    """Run `work` to its end, or cancel it and wait for its cleaning up. The request's body must be
    read.

    Three tasks, all of them over when this returns.
    """
    ending = Ending.DONE

    async def cancel_after(sign: Coroutine[Any, Any, Any], reason: Ending) -> None:
        nonlocal ending
        await sign
        if ending is Ending.DONE and not worker.done():  # never disturb a clean-up under way
            ending = reason
            worker.cancel()

    async with asyncio.TaskGroup() as group:
        worker = group.create_task(work)
        watchers = (
            group.create_task(cancel_after(_hung_up(receive), Ending.HUNG_UP)),
            group.create_task(cancel_after(_set(closing), Ending.CLOSING)),
        )

        def stop_watching(_: asyncio.Task[None]) -> None:
            for watcher in watchers:
                watcher.cancel()

        worker.add_done_callback(stop_watching)
    return ending


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _set(event: asyncio.Event) -> None:
    await event.wait()
