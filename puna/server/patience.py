"""How long the server waits for a body: not for ever, and not for a trickle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.types import Message, Receive

from puna.config import FOREVER
from puna.errors import TooSlow

__all__ = ["patient"]

SLOWEST = 1024
"""Bytes a second that a body must have on average, once it has taken longer than the timeout."""


def patient(
    receive: Receive, seconds: float, clock: Callable[[], float] = time.monotonic
) -> Receive:
    """`receive` that raises TooSlow where nothing of a body comes for `seconds`, or less than
    `SLOWEST`. Only time spent waiting counts; after the body it waits as long as it takes.
    """
    if seconds == FOREVER:
        return receive
    waited = 0.0
    size = 0
    has_all = False

    async def receiving() -> Message:
        nonlocal waited, size, has_all
        if has_all:
            return await receive()
        started = clock()
        try:
            async with asyncio.timeout(seconds):
                message = await receive()
        except TimeoutError:
            raise TooSlow from None
        waited += clock() - started
        size += len(message.get("body", b""))
        has_all = not message.get("more_body", False)
        if not has_all and waited > seconds + size / SLOWEST:
            raise TooSlow
        return message

    return receiving
