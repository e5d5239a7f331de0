"""Ways not to hold up the event loop: a bounded pool of threads for blocking work, and pauses."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["give_way", "in_thread", "in_thread_to_the_end", "to_the_end"]

P = ParamSpec("P")
T = TypeVar("T")


async def give_way() -> None:
    """Let the others on the event loop have a turn, in the middle of long work."""
    await asyncio.sleep(0)


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in the loop's default pool and wait for it.

    A cancelled caller stops waiting; the work itself goes on to its end.
    """
    return await asyncio.to_thread(work, *args, **kwargs)


async def in_thread_to_the_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As `in_thread`, for work on something that the caller closes: a cancelled caller waits until
    the work has ended, which must not take long.
    """
    call = functools.partial(work, *args, **kwargs)
    return await to_the_end(asyncio.get_running_loop().run_in_executor(None, call))


async def to_the_end(running: asyncio.Future[T]) -> T:
    """Wait for work that runs in a thread; a cancelled caller waits until it has ended, too."""
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as cancel:
            cancelled = cancel
    if cancelled is not None:
        running.exception()  # nobody else will look at it
        raise cancelled
    return running.result()
