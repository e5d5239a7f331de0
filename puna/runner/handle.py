"""The parent's side of a runner: start the child, ask it, hand its events to who waits.

Everything here runs on the event loop. The child and its readers belong to the launcher's scope.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import logging
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from puna.config import FOREVER
from puna.errors import (
    EngineDied,
    EngineError,
    OutOfMemory,
    PunaError,
    StartFailed,
)
from puna.runner.answers import Answer, Events, as_error, as_refusal
from puna.runner.grouping import split_order
from puna.runner.inbox import Inbox
from puna.runner.last_words import LastWords
from puna.runner.link import Link
from puna.runner.protocol import (
    Embedding,
    Embeddings,
    EngineInfo,
    Generation,
    LoadPlan,
    TokenEvents,
    WarmPlan,
)
from puna.runner.pulse import Pulse, read_effort
from puna.runner.wire import (
    Admit,
    Beat,
    Cancel,
    Close,
    Detokenize,
    Embed,
    Embedded,
    Failed,
    Finish,
    FromRunner,
    Loading,
    Measure,
    Open,
    Ready,
    Refused,
    Resized,
    Step,
    Text,
    Tokenize,
    Tokens,
    ToRunner,
)
from puna.threads import in_thread

__all__ = ["ProcessEngine"]

log = logging.getLogger(__name__)

_GROUPS_AHEAD = 4  # as many as keep the runner busy while an answer is on its way
_MEASURED = 4096  # images whose number of tokens is remembered
_SAVE_SECONDS = 5.0  # from the wish that a runner ends to the time it is killed
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT})
"""Signals that come from others: then the last words say nothing about the end."""
_SAVE_PART = 0.6  # of those: then it begins to save nothing more

_Inbox = Inbox[Answer]


class ProcessEngine:
    """One runner child."""

    def __init__(
        self, process: asyncio.subprocess.Process, link: Link, step_timeout: float
    ) -> None:
        self._process = process
        self._link = link
        self._pulse = Pulse(step_timeout)
        self._hung = ""
        link.listen(self._dispatch)
        self._ids = itertools.count(1)
        self._inboxes: dict[int, _Inbox] = {}
        self._unanswered: set[int] = set()
        self._opening: asyncio.Queue[FromRunner | PunaError] = asyncio.Queue()
        self._last_words = LastWords()
        self._info: EngineInfo | None = None
        self._alive = True
        self._keeps = False
        self._ended = asyncio.Event()
        self._measured: dict[bytes, int] = {}  # tokens of images, by their digests

    @classmethod
    async def start(
        cls,
        environment: Mapping[str, str],
        tasks: asyncio.TaskGroup,
        forget: Callable[[ProcessEngine], None],
        step_timeout: float = FOREVER,
    ) -> ProcessEngine:
        """Start a child; `tasks` owns its readers, `forget` is called when it has ended.

        A child that is asked for something and does nothing for `step_timeout` seconds is ended.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "puna.runner.worker",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
                pass_fds=[theirs.fileno()],
            )
        return await cls.of(process, ours, tasks, forget, step_timeout)

    @classmethod
    async def of(
        cls,
        process: asyncio.subprocess.Process,
        connection: socket.socket,
        tasks: asyncio.TaskGroup,
        forget: Callable[[ProcessEngine], None],
        step_timeout: float = FOREVER,
    ) -> ProcessEngine:
        """The same for a child that was started, and our end of its socket."""
        engine = cls(process, await Link.open(connection), step_timeout)
        tasks.create_task(engine._serve(forget), name=f"runner {process.pid}")
        return engine

    @property
    def info(self) -> EngineInfo:
        """What the loaded model says about itself."""
        if self._info is None:
            raise EngineError("the model is not loaded yet")
        return self._info

    @property
    def alive(self) -> bool:
        """False once the child ended or was told to."""
        return self._alive

    async def load(
        self, plan: LoadPlan, stall_seconds: float, warm: WarmPlan | None = None
    ) -> None:
        """Wait until the child has loaded the plan. Raises StartFailed, OutOfMemory."""
        self._keeps = warm is not None
        self._send(Open(plan, warm))
        progress = 0.0
        while True:
            try:
                async with asyncio.timeout(None if stall_seconds == FOREVER else stall_seconds):
                    news = await self._opening.get()
            except TimeoutError:
                raise StartFailed(
                    f"timed out waiting for model runner to start - progress {progress:.2f}"
                ) from None
            match news:
                case Loading(fraction):
                    progress = fraction
                case Ready(info):
                    self._info = info
                    return
                case Failed(message, out_of_memory):
                    raise (OutOfMemory if out_of_memory else StartFailed)(message)
                case PunaError():
                    kind = OutOfMemory if self._last_words.are_of_memory else StartFailed
                    raise kind(f"model runner process has terminated: {self._cause()}")

    @contextlib.asynccontextmanager
    async def generate(self, order: Generation) -> AsyncIterator[TokenEvents]:
        """See protocol.Engine."""
        with self._inbox() as (id, inbox):
            self._send(Admit(id, order))
            events = Events(inbox, partial(self._finish, id))
            try:
                yield events
            finally:
                if not events.ended and self._alive:
                    self._send(Cancel(id))

    def _finish(self, id: int) -> None:
        if self._alive:
            self._send(Finish(id))

    async def embed(self, order: Embedding) -> Embeddings:
        """See protocol.Engine. Goes out in groups, so that no job is long before others'."""
        whole = Embeddings([], [])
        asked: deque[tuple[int, _Inbox]] = deque()
        groups = split_order(order)
        with contextlib.ExitStack() as inboxes:
            try:
                while True:
                    for group in itertools.islice(groups, _GROUPS_AHEAD - len(asked)):
                        asked.append(inboxes.enter_context(self._inbox()))
                        self._send(Embed(asked[-1][0], group))
                    if not asked:
                        return whole
                    answer = await asked[0][1].get()
                    asked.popleft()
                    if not isinstance(answer, Embedded):
                        raise as_error(answer)
                    whole.vectors.extend(answer.result.vectors)
                    whole.tokens.extend(answer.result.tokens)
            finally:
                for id, _ in asked if self._alive else ():
                    self._send(Cancel(id))

    async def tokenize(self, text: str, *, special: bool = True) -> list[int]:
        """See protocol.Engine."""
        answer = await self._ask(lambda id: Tokenize(id, text, special))
        if isinstance(answer, Tokens):
            return list(answer.tokens)
        raise as_error(answer)

    async def count(self, text: str) -> int:
        """See protocol.Engine."""
        answer = await self._ask(lambda id: Tokenize(id, text, special=True, counts=True))
        if isinstance(answer, Tokens):
            return sum(answer.tokens)
        raise as_error(answer)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """See protocol.Engine."""
        answer = await self._ask(lambda id: Detokenize(id, tuple(tokens)))
        if isinstance(answer, Text):
            return answer.text
        raise as_error(answer)

    async def measure(self, images: Sequence[bytes]) -> list[int]:
        """See protocol.Engine. What was measured before is not sent again."""
        digests = await in_thread(_digests, images)
        known = {digest: self._measured.get(digest, -1) for digest in digests}
        wanted = {
            digest: bytes(image)
            for digest, image in zip(digests, images, strict=True)
            if known[digest] < 0
        }
        if wanted:
            answer = await self._ask(lambda id: Measure(id, tuple(wanted.values())))
            if not isinstance(answer, Tokens):
                raise as_error(answer)
            if len(self._measured) > _MEASURED:
                self._measured.clear()
            found = dict(zip(wanted, answer.tokens, strict=True))
            self._measured |= found
            known |= found
        return [known[digest] for digest in digests]

    async def close(self) -> None:
        """End the child, which has a moment to save what it holds. Idempotent."""
        saves = self._alive and self._keeps and self._info is not None
        self._alive = False
        try:
            if saves:
                self._send(Close(_SAVE_SECONDS * _SAVE_PART))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_SAVE_SECONDS):
                        await self._ended.wait()
        finally:
            self._kill()
        await self._ended.wait()

    def _kill(self) -> None:
        # not Process.kill(): it polls first, and so takes the exit status from asyncio's watcher
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    @contextlib.contextmanager
    def _inbox(self) -> Iterator[tuple[int, _Inbox]]:
        if not self._alive:
            raise EngineDied(self._cause())
        id = next(self._ids)
        inbox: _Inbox = Inbox()
        self._inboxes[id] = inbox
        self._unanswered.add(id)
        try:
            yield id, inbox
        finally:
            self._inboxes.pop(id, None)
            self._unanswered.discard(id)

    async def _ask(self, question: Callable[[int], ToRunner]) -> Answer:
        """Ask something that has one answer; for who leaves it need not be found."""
        with self._inbox() as (id, inbox):
            self._send(question(id))
            try:
                return await inbox.get()
            except asyncio.CancelledError:
                if self._alive:
                    self._send(Cancel(id))
                raise

    def _send(self, message: ToRunner) -> None:
        self._link.send(message)

    async def _serve(self, forget: Callable[[ProcessEngine], None]) -> None:
        """Hand out the child's frames until it ends, then fail everybody who still waits."""
        try:
            async with asyncio.TaskGroup() as group:
                words = self._last_words.listen(self._process.stderr, self._process.pid)
                group.create_task(words)
                watch = group.create_task(self._watch())
                await self._link.closed.wait()
                watch.cancel()
        finally:
            self._alive = False
            self._kill()
            await self._process.wait()
            self._link.close()
            died = EngineDied(self._cause())
            for inbox in self._inboxes.values():
                inbox.put(died)
            self._opening.put_nowait(died)
            self._ended.set()
            forget(self)

    async def _watch(self) -> None:
        """End a child that hangs: who waits for it is told, and its model is loaded anew."""
        looked_at = time.monotonic()
        while (tick := self._pulse.tick) != FOREVER:
            await asyncio.sleep(tick)
            now = time.monotonic()
            passed, looked_at = now - looked_at, now
            if not self._unanswered:
                self._pulse.rest()
            elif self._pulse.look(passed, await in_thread(read_effort, self._process.pid)):
                self._hung = f"it did not end a step for {self._pulse.silent:.0f} seconds"
                log.error("runner %d is ended: %s", self._process.pid, self._hung)
                self._kill()
                return

    def _dispatch(self, message: FromRunner) -> None:
        if isinstance(message, Step | Embedded | Beat):
            self._pulse.beat()
        match message:
            case Step(said, ended):
                for piece in said:
                    self._deliver(piece.id, piece.piece)
                for end in ended:
                    self._answered(end.id, end.result)
            case Refused(id):
                self._answered(id, as_refusal(message))
            case Embedded(id) | Tokens(id) | Text(id):
                self._answered(id, message)
            case Resized(size, size_vram):
                if self._info is not None:
                    self._info = replace(self._info, size=size, size_vram=size_vram)
            case Loading() | Ready() | Failed():
                self._opening.put_nowait(message)
            case Beat(used, held):
                if self._info is not None:
                    self._info = replace(self._info, cells_used=used, cells_held=held)

    def _answered(self, id: int, answer: Answer) -> None:
        """Deliver the last that comes for an id; its client may take its time to read it."""
        self._unanswered.discard(id)
        self._deliver(id, answer)

    def _deliver(self, id: int, answer: Answer) -> None:
        inbox = self._inboxes.get(id)
        if inbox is not None:  # a cancelled request's last words are for nobody
            inbox.put(answer)

    def _cause(self) -> str:
        if self._hung:
            return self._hung
        code, words = self._process.returncode, str(self._last_words)
        how = f"exit status {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                how = f"killed by {signal.Signals(-code).name}"
            if -code in _FROM_OUTSIDE:
                words = ""
        return how + (f": {words}" if words else "")


def _digests(images: Sequence[bytes]) -> list[bytes]:
    return [hashlib.sha256(image).digest() for image in images]
