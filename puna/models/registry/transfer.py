"""Moving one blob from a registry into the store: parallel parts, retries, hashing meanwhile.

Facts: models spec, section 8.3, and what it says of weak points in section 24.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from puna.errors import RegistryError, RegistryUnreachable
from puna.models.partial import Partial
from puna.models.registry.retry import Overloaded
from puna.models.registry.session import BlobSource
from puna.models.registry.spans import Span, Spans
from puna.models.registry.transport import Reply
from puna.threads import in_thread_to_the_end

__all__ = ["Tally", "transfer"]

STREAMS = 8
STREAM_BYTES = 8 * 1024 * 1024
"""A blob gets one more stream for each so many bytes."""
SPAN_BYTES = 32 * 1024 * 1024
WINDOW_SPANS = 2 * STREAMS

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")


@dataclass(slots=True)
class Tally:
    """How far a transfer is, in bytes. `completed` never goes down."""

    total: int
    completed: int = 0


class _NoRanges(Exception):
    """The server sends all or nothing."""


async def transfer(partial: Partial, source: BlobSource, tally: Tally) -> None:
    """Fetch what is missing of the blob, check it and publish it.

    Cancelling keeps what has come. Raises WrongDownload, StoreFull, RegistryError.
    """
    tally.completed = partial.ready_bytes
    work = _Transfer(partial, source, tally)
    if not partial.is_hashed:
        try:
            await _together(work.hash, work.sync, *work.streams())
        except _NoRanges:
            await _together(work.hash, work.sync, work.fetch_whole)
    await in_thread_to_the_end(partial.commit)


async def _together(*jobs: Callable[[], Awaitable[None]]) -> None:
    """Run the jobs side by side; the first failure ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for job in jobs:
                tasks.create_task(_run(job))
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def _run(job: Callable[[], Awaitable[None]]) -> None:
    await job()


class _Transfer:
    def __init__(self, partial: Partial, source: BlobSource, tally: Tally) -> None:
        self._partial = partial
        self._source = source
        self._tally = tally
        self._news = asyncio.Event()
        self._unsynced = asyncio.Event()
        left = partial.size - partial.ready_bytes
        self._streams = max(1, min(STREAMS, left // STREAM_BYTES))
        share = -(-left // (self._streams * partial.unit_bytes))
        longest = max(1, min(SPAN_BYTES // partial.unit_bytes, share))
        self._spans = Spans(partial.missing(), longest, WINDOW_SPANS * longest)

    def streams(self) -> list[Callable[[], Awaitable[None]]]:
        """The jobs that fetch: one for a small blob, more for a large one."""
        return [self._stream] * self._streams

    # -- beside the streams

    async def hash(self) -> None:
        """Hash what arrives, in order."""
        while not self._partial.is_hashed:
            self._news.clear()
            if self._partial.can_hash:
                await in_thread_to_the_end(self._partial.hash_some)
            else:
                await self._news.wait()
        self._unsynced.set()

    async def sync(self) -> None:
        """Bring what arrives to the disk, again and again until all is hashed."""
        while not self._partial.is_hashed:
            await self._unsynced.wait()
            self._unsynced.clear()
            await in_thread_to_the_end(self._partial.sync)

    # -- fetching in ranges

    async def _stream(self) -> None:
        while (span := self._spans.take()) is not None:
            try:
                await self._fetch(span)
            finally:
                self._spans.done(span)

    async def _fetch(self, span: Span) -> None:
        """Fetch a span, in as many attempts as bring something."""
        buffer = bytearray()
        failures = 0
        while span.next < span.end:
            before = self._place(span, buffer)
            try:
                buffer = await self._fetch_some(span, buffer)
            except _Interrupted as stop:
                buffer = stop.buffer
                failures = 1 if self._place(span, buffer) > before else failures + 1
                await self._source.retry.pause(failures, stop.cause)

    def _place(self, span: Span, buffer: bytearray) -> int:
        return self._partial.start_of(span.next) + len(buffer)

    async def _fetch_some(self, span: Span, buffer: bytearray) -> bytearray:
        """One request for the rest of the span. Raises _Interrupted with the bytes that came."""
        start, end = self._place(span, buffer), self._partial.start_of(span.end)
        try:
            async with self._source.open((start, end)) as reply:
                _check_range(reply, start, self._partial.size)
                async for chunk in reply.chunks():
                    buffer = await self._take(span, buffer, chunk)
                    if span.next >= span.end:
                        return buffer
            raise RegistryUnreachable("the server closed the connection early")
        except (RegistryUnreachable, Overloaded) as cause:
            raise _Interrupted(buffer, cause) from cause

    async def _take(self, span: Span, buffer: bytearray, chunk: bytes) -> bytearray:
        """Add a chunk, writing each unit that is full; what lies beyond the span is dropped."""
        rest = memoryview(chunk)
        while rest and span.next < span.end:
            start = self._partial.start_of(span.next)
            room = self._partial.start_of(span.next + 1) - start - len(buffer)
            buffer += rest[:room]
            self._tally.completed += min(room, len(rest))
            if len(rest) < room:
                break
            rest = rest[room:]
            await self._write(span.next, buffer)
            buffer = bytearray()
            span.next += 1
        return buffer

    async def _write(self, unit: int, data: bytearray) -> None:
        await in_thread_to_the_end(self._partial.write, unit, data)
        self._news.set()
        self._unsynced.set()

    # -- fetching from a server that has no ranges

    async def fetch_whole(self) -> None:
        """Read the blob from its beginning; units that are here already are passed over."""
        failures = 0
        while True:
            before = self._partial.ready_bytes
            try:
                await self._fetch_all()
            except (RegistryUnreachable, Overloaded) as cause:
                failures = 1 if self._partial.ready_bytes > before else failures + 1
                await self._source.retry.pause(failures, cause)
            else:
                return

    async def _fetch_all(self) -> None:
        unit, buffer = 0, bytearray()
        async with self._source.open(None) as reply:
            async for chunk in reply.chunks():
                buffer += chunk
                while unit < self._partial.count and len(buffer) >= self._length(unit):
                    data, buffer = buffer[: self._length(unit)], buffer[self._length(unit) :]
                    if not self._partial.is_ready(unit):
                        await self._write(unit, data)
                        done = self._partial.ready_bytes
                        self._tally.completed = max(self._tally.completed, done)
                    unit += 1
        if unit < self._partial.count:
            raise RegistryUnreachable("the server closed the connection early")

    def _length(self, unit: int) -> int:
        return self._partial.start_of(unit + 1) - self._partial.start_of(unit)


class _Interrupted(Exception):
    """A request ended before its span did."""

    def __init__(self, buffer: bytearray, cause: RegistryError) -> None:
        super().__init__(str(cause))
        self.buffer = buffer
        self.cause = cause


def _check_range(reply: Reply, start: int, size: int) -> None:
    """Raise _NoRanges for a whole body, RegistryUnreachable for another range than was asked."""
    if reply.status == 200:
        raise _NoRanges
    match = _CONTENT_RANGE.fullmatch(reply.headers.get("content-range", ""))
    if match is None or int(match[1]) != start:
        raise RegistryUnreachable("the server sent another range than was asked for")
    if match[3] not in {"*", str(size)}:
        raise RegistryError(f"the blob has {match[3]} bytes, the manifest says {size}")
