"""Responses that clients want to come back to, in a database of our own: for a time, up to a size.

Items are kept with the response that they came with; a conversation is a tree of responses, and
goes as a whole when it is too old or room is needed. Facts: compatibility spec, 9.6.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from puna.errors import ResponseNotFound, StoreError
from puna.service.response_tables import Kept, StoredItem, Tables
from puna.threads import in_thread, to_the_end

__all__ = ["Kept", "ResponseStore", "StoredItem"]

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

_TIDY_SECONDS = 3600.0


@dataclass(slots=True)
class _Turn:
    """A client's place in the queue: one access at a time, however many it asks for."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class ResponseStore:
    """Accesses run in one thread of the store's own, a client's one after the other.

    So neither the event loop nor other work in threads waits for the disk, and a client with many
    requests stands in nobody's way.
    """

    def __init__(
        self,
        path: Path,
        most_bytes: int,
        age_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """A store that keeps nothing where one of the limits is 0. The file is made when it is
        needed.
        """
        self._path = path
        self._most_bytes = most_bytes
        self._age = age_seconds
        self._clock = clock
        self._turns: dict[str, _Turn] = {}
        self._thread = ThreadPoolExecutor(1, "responses")
        self._tables: Tables | None = None

    @property
    def is_on(self) -> bool:
        """Whether anything is kept."""
        return self._most_bytes > 0 and self._age > 0

    async def close(self) -> None:
        """Wait for what is under way and close the file."""
        await to_the_end(asyncio.get_running_loop().run_in_executor(self._thread, self._close))
        self._thread.shutdown()

    async def tidy(self) -> None:
        """Remove what is too old, now and every hour; runs until it is cancelled."""
        while self.is_on:
            try:
                if await in_thread(self._path.exists):
                    await self._in_turn("", Tables.tidy)
            except StoreError as cause:
                log.warning("old responses were not removed: %s", cause)
            await asyncio.sleep(_TIDY_SECONDS)

    async def keep(self, client: str, kept: Kept) -> bool:
        """Store a response; false where the file cannot be written, or one conversation would take
        too much of it.
        """
        if not self.is_on:
            return False
        try:
            return await self._in_turn(client, Tables.keep, client, kept)
        except StoreError as cause:
            log.warning("a response was not stored: %s", cause)
            return False

    async def body(self, client: str, response: str) -> bytes:
        """A response as it was answered. Raises ResponseNotFound; StoreError, as all here do,
        where the file cannot be used.
        """
        return await self._found(response, client, Tables.body, response)

    async def delete(self, client: str, response: str) -> None:
        """Forget a response; what later ones build on stays with them. Raises ResponseNotFound."""
        await self._found(response, client, Tables.delete, response)

    async def history(self, client: str, response: str) -> list[StoredItem]:
        """All items up to the end of a response, the oldest first. Raises ResponseNotFound."""
        return await self._found(response, client, Tables.history, response)

    async def inputs(self, client: str, response: str) -> list[StoredItem]:
        """All items that a response answers, the oldest first. Raises ResponseNotFound."""
        return await self._found(response, client, Tables.inputs, response)

    async def items(self, client: str, ids: Sequence[str]) -> dict[str, bytes]:
        """Items by their ids, as far as they are there and the client's."""
        if not self.is_on or not ids:
            return {}
        return await self._in_turn(client, Tables.items, client, ids)

    async def _found(
        self,
        response: str,
        client: str,
        work: Callable[Concatenate[Tables, P], T | None],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        found = None
        if self.is_on:
            found = await self._in_turn(client, work, *args, **kwargs)
        if found is None:
            raise ResponseNotFound(response)
        return found

    async def _in_turn(
        self,
        client: str,
        work: Callable[Concatenate[Tables, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        async with self._turn(client):
            call = partial(self._work, work, *args, **kwargs)
            loop = asyncio.get_running_loop()
            return await to_the_end(loop.run_in_executor(self._thread, call))

    @asynccontextmanager
    async def _turn(self, client: str) -> AsyncIterator[None]:
        turn = self._turns.setdefault(client, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[client]

    # what follows runs in the thread

    def _work(
        self, work: Callable[Concatenate[Tables, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do it; with a damaged file, once more with a new one. Raises StoreError."""
        try:
            try:
                return work(self._open(), *args, **kwargs)
            except sqlite3.DatabaseError as cause:
                if isinstance(cause, sqlite3.OperationalError | sqlite3.IntegrityError):
                    raise  # locked, or the disk is full: that is no damage
                self._set_aside(cause)
                return work(self._open(), *args, **kwargs)
        except (OSError, sqlite3.Error) as cause:
            raise StoreError(f"the stored responses cannot be used: {cause}") from cause

    def _open(self) -> Tables:
        if self._tables is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with suppress(FileExistsError):  # the mode counts from the first byte on
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            os.chmod(self._path, 0o600)
            self._tables = Tables(self._path, self._most_bytes, self._age, self._clock)
        return self._tables

    def _set_aside(self, cause: Exception) -> None:
        self._close()
        aside = self._path.with_name(f"{self._path.name}.damaged-{int(self._clock())}")
        log.error(
            "the stored responses cannot be read (%s): %s is set aside as %s and a new file begun",
            cause,
            self._path,
            aside.name,
        )
        self._path.replace(aside)
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _close(self) -> None:
        tables, self._tables = self._tables, None
        if tables is not None:
            with suppress(sqlite3.Error):
                tables.close()
