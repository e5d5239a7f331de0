"""Moving one blob from a registry into the store: parallel parts, retries, hashing meanwhile.

Facts: models spec, section 8.3, and what it says of weak points in section 24.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from puna.errors import RegistryError, RegistryUnreachable
from puna.models.partial import UNIT_BYTES, Partial
from puna.models.registry.jobs import Tally
from puna.models.registry.retry import Overloaded
from puna.models.registry.session import BlobSource
from puna.models.registry.spans import Span, Spans
from puna.models.registry.transport import Reply
from puna.threads import to_the_end

__all__ = ["Division", "transfer"]

P = ParamSpec("P")
T = TypeVar("T")

SYNC_SECONDS = 1.0
"""A power cut costs at most what came in so long, and while the disk was at work."""

WRONG_SIZE = "the blob has {} bytes, the manifest says {}"

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")


@dataclass(frozen=True, slots=True)
class Division:
    """How a blob is divided: units are written and noted, spans are asked for in one request.

    A blob gets one more stream for each `stream_bytes`, up to `streams` of them.
    """

    unit_bytes: int = UNIT_BYTES
    span_bytes: int = 32 * 1024 * 1024
    stream_bytes: int = 8 * 1024 * 1024
    streams: int = 8
    unit_seconds: float = 120.0
    """How long a unit may take before its stream tries another connection."""


class _NoRanges(Exception):
    """The server sends all or nothing."""


async def transfer(partial: Partial, source: BlobSource, tally: Tally, division: Division) -> None:
    """Fetch what is missing of the blob, check it and publish it.

    Cancelling keeps what has come. Raises WrongDownload, StoreFull, RegistryError.
    """
    tally.completed = partial.ready_bytes
    with _Threads() as threads:
        work = _Transfer(partial, source, tally, threads, division)
        try:
            await _together(work.hash, work.sync, *work.fetching())
        except _NoRanges:
            await _together(work.hash, work.sync, work.fetch_whole)
        await work.commit()


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


class _Threads(contextlib.ExitStack):
    """One thread for each kind of blocking work: a slow disk must not take those that others need,
    and who waits for it to sync goes on hashing. Writers of one file would only wait for each
    other, spinning in the kernel.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writing, self.hashing, self.syncing = (
            self.enter_context(ThreadPoolExecutor(1, f"transfer-{work}"))
            for work in ("write", "hash", "sync")
        )


class _Transfer:
    def __init__(
        self,
        partial: Partial,
        source: BlobSource,
        tally: Tally,
        threads: _Threads,
        division: Division,
    ) -> None:
        self._threads = threads
        self._partial = partial
        self._source = source
        self._tally = tally
        self._news = asyncio.Event()
        self._hashed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._unit_seconds = division.unit_seconds
        left = partial.size - partial.ready_bytes
        self._streams = max(1, min(division.streams, left // division.stream_bytes))
        share = -(-left // (self._streams * partial.unit_bytes))
        longest = max(1, min(division.span_bytes // partial.unit_bytes, share))
        self._spans = Spans(partial.missing(), longest, 2 * self._streams * longest)

    def fetching(self) -> list[Callable[[], Awaitable[None]]]:
        """The jobs that fetch: one for a small blob, more for a large one."""
        if self._partial.count == 1:  # it is fetched as a whole or not at all
            return [self.fetch_whole]
        return [self._stream] * self._streams

    async def commit(self) -> None:
        """Publish the blob."""
        await self._run_in(self._threads.syncing, self._partial.commit)

    async def _run_in(
        self, thread: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        call = functools.partial(work, *args, **kwargs)
        return await to_the_end(self._loop.run_in_executor(thread, call))

    async def hash(self) -> None:
        """Hash what arrives, in order."""
        while not self._partial.is_hashed:
            self._news.clear()
            if self._partial.can_hash:
                await self._run_in(self._threads.hashing, self._partial.hash_some)
            else:
                await self._news.wait()
        self._hashed.set()

    async def sync(self) -> None:
        """Bring what arrives to the disk, again and again until all is hashed."""
        while not self._partial.is_hashed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SYNC_SECONDS):
                    await self._hashed.wait()
                    return
            await self._run_in(self._threads.syncing, self._partial.sync)

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
                deadline = self._deadline()
                async for chunk in reply.chunks():
                    unit = span.next
                    buffer = await self._take(span, buffer, chunk)
                    if span.next >= span.end:
                        return buffer
                    if span.next > unit:
                        deadline = self._deadline()
                    elif self._loop.time() > deadline:
                        raise RegistryUnreachable("the server sends too slowly")
            raise RegistryUnreachable("the server closed the connection early")
        except (RegistryUnreachable, Overloaded) as cause:
            raise _Interrupted(buffer, cause) from cause

    def _deadline(self) -> float:
        return self._loop.time() + self._unit_seconds

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
        await self._run_in(self._threads.writing, self._partial.write, unit, data)
        self._news.set()

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
        if not self._partial.missing():
            return
        async with self._source.open(None) as reply:
            _check_length(reply, self._partial.size)
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
        raise RegistryError(WRONG_SIZE.format(match[3], size))


def _check_length(reply: Reply, size: int) -> None:
    """Raise RegistryError where a whole body is of another size."""
    length = reply.headers.get("content-length", str(size))
    if length != str(size):
        raise RegistryError(WRONG_SIZE.format(length[:20], size))
