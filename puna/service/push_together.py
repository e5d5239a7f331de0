"""Sending the blobs of a model that is stored tensor by tensor: hundreds, several at once.

Facts: models spec, section 10.
"""

from __future__ import annotations

import asyncio

from puna.errors import RegistryError
from puna.models.digest import Digest
from puna.models.registry.jobs import Tally
from puna.models.registry.sharing import Uploads
from puna.models.registry.upload import BlobTarget, is_there

__all__ = ["Together"]

QUESTIONS = 64
"""How many blobs are asked for at once whether they are there."""

TICK_SECONDS = 0.06


class Together:
    """The blobs of one model on their way, of which `streams` are sent at once."""

    def __init__(self, uploads: Uploads, targets: list[BlobTarget], streams: int) -> None:
        self._uploads = uploads
        self._targets = targets
        self._streams = streams
        self._done: dict[Digest, int] = {}

    async def run(self, tally: Tally) -> None:
        """Have them all in the registry. Raises RegistryError, StoreError."""
        self._done.clear()
        missing = await self._missing(tally)
        slots = asyncio.Semaphore(self._streams)
        try:
            async with asyncio.TaskGroup() as tasks:
                for target in missing:
                    await slots.acquire()
                    task = tasks.create_task(self._send(target, tally))
                    task.add_done_callback(lambda _: slots.release())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        tally.completed = tally.total

    async def _missing(self, tally: Tally) -> list[BlobTarget]:
        slots = asyncio.Semaphore(QUESTIONS)
        missing: list[BlobTarget] = []

        async def ask(target: BlobTarget) -> None:
            async with slots:
                retry = target.session.retry
                layer = target.layer
                if await retry.call(lambda: is_there(target.session, layer), retry.attempts):
                    self._note(layer.digest, layer.size, tally)
                else:
                    missing.append(target)

        try:
            async with asyncio.TaskGroup() as tasks:
                for target in self._targets:
                    tasks.create_task(ask(target))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return missing

    async def _send(self, target: BlobTarget, tally: Tally) -> None:
        layer = target.layer
        while True:
            async with self._uploads.joined(target) as (shared, is_ours):
                try:
                    while not await shared.wait(TICK_SECONDS):
                        self._note(layer.digest, shared.tally.completed, tally)
                    break
                except RegistryError:
                    if is_ours:
                        raise  # else it was another's password that failed: try our own
        self._note(layer.digest, layer.size, tally)

    def _note(self, digest: Digest, completed: int, tally: Tally) -> None:
        self._done[digest] = completed
        tally.completed = max(tally.completed, sum(self._done.values()))
