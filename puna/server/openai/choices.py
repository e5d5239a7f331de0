"""Several answers as one stream of numbered events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from puna.api.events import Done, Event, Rendered
from puna.errors import EngineError

__all__ = ["Numbered", "together"]

Numbered = tuple[int, Event]
"""Which choice it is, and what happened to it."""

_AHEAD = 16  # events that nobody has taken yet


async def together(
    answers: Sequence[AsyncGenerator[Event, None]],
) -> AsyncGenerator[Numbered, None]:
    """The events of all answers as they come. The first error ends them all."""
    if len(answers) == 1:
        async with aclosing(answers[0]) as events:
            async for event in events:
                yield 0, event
        return
    told: asyncio.Queue[Numbered | Exception] = asyncio.Queue(_AHEAD)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_tell(at, told, each)) for at, each in enumerate(answers)]
        ending: BaseException | None = None
        try:
            left = len(answers)
            while left:
                item = await told.get()
                if isinstance(item, Exception):
                    raise item
                yield item
                left -= isinstance(item[1], Done | Rendered)
        except (Exception, GeneratorExit) as error:  # noqa: BLE001 - the group would wrap it
            ending = error
        for task in tasks:
            task.cancel()
    if ending is not None:
        raise ending


async def _tell(
    at: int, told: asyncio.Queue[Numbered | Exception], answer: AsyncGenerator[Event, None]
) -> None:
    last: Event | None = None
    try:
        async with aclosing(answer) as events:
            async for last in events:
                await told.put((at, last))
        if not isinstance(last, Done | Rendered):
            raise EngineError("the answer ended early")
    except Exception as error:  # noqa: BLE001 - handed to whoever reads
        await told.put(error)
