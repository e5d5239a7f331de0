"""A runner without a model: an engine that says what it is told and remembers what it was asked.

It stands at the engine's seam for tests of the rooms above and for dry runs. It knows no time:
where a script must wait it holds until it is released.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from puna.errors import BadRequest, EngineDied
from puna.runner.protocol import (
    Embedding,
    Embeddings,
    EngineInfo,
    Finished,
    Generation,
    LoadPlan,
    Piece,
    TokenEvent,
    TokenEvents,
)

__all__ = ["FakeEngine", "FakeLauncher", "Hold", "Line"]


class Hold:
    """A place in a script where the engine (or the launcher) waits until `release` is called."""

    def __init__(self) -> None:
        self._released = False
        self._reached = asyncio.Event()
        self._waiting: set[asyncio.Future[None]] = set()

    def release(self) -> None:
        """Let everyone pass, now and later."""
        self._released = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def reached(self) -> None:
        """Return once somebody waits here, or has passed."""
        await self._reached.wait()

    async def passed(self, interruptible: set[asyncio.Future[None]]) -> None:
        """Wait for the release. While waiting, the future in `interruptible` can be failed."""
        self._reached.set()
        if self._released:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        interruptible.add(waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)
            interruptible.discard(waiter)


Line = str | Piece | Finished | Hold | Exception
"""One step of a script: text to say, a wait, an error to raise, or (last) the ending"""

Script = tuple[Line, ...]
Vector = Sequence[float] | Hold | Exception
"""What is given for an input: its vector, or a wait or an error first"""

DEFAULT_PLAN = LoadPlan(model="fake")


def info_of(plan: LoadPlan) -> EngineInfo:
    """What a fake engine loaded by `plan` says about itself: a megabyte, tokens are bytes."""
    return EngineInfo(
        n_ctx=plan.n_ctx,
        n_ctx_train=plan.n_ctx,
        n_vocab=256,
        n_cells=plan.n_ctx * plan.n_parallel,
        size=1 << 20,
        size_vram=0,
        bos="<s>",
        eos="</s>",
    )


class _Events:
    """What one generation says, until that is enough."""

    source: AsyncGenerator[TokenEvent, None]

    def __init__(self) -> None:
        self.is_enough = False

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, TokenEvent]:
        return self.source.__anext__()

    def finish(self) -> None:
        self.is_enough = True


class FakeEngine:
    """An engine that says what `will_say` enqueued, one script a generation, then `otherwise`.

    Its vectors are what `will_embed` said for an input, else its length in bytes and 1. `orders`
    are the generations it was asked for, `embeddings` the orders for vectors, `cancelled` counts
    the generations begun and left before their end, `closes` the calls of `close`. A token is one
    byte of UTF-8.
    """

    def __init__(
        self,
        plan: LoadPlan = DEFAULT_PLAN,
        *,
        info: EngineInfo | None = None,
        scripts: deque[Script] | None = None,
        vectors: dict[str, Vector] | None = None,
        otherwise: Script = (),
    ) -> None:
        self.plan = plan
        self.orders: list[Generation] = []
        self.embeddings: list[Embedding] = []
        self.cancelled = 0
        self.closes = 0
        self.otherwise = otherwise
        self._info = info_of(plan) if info is None else info
        self._scripts: deque[Script] = deque() if scripts is None else scripts
        self._alive = True
        self._held: set[asyncio.Future[None]] = set()
        self._vectors: dict[str, Vector] = {} if vectors is None else vectors

    @property
    def info(self) -> EngineInfo:
        """The sizes given at the start."""
        return self._info

    @property
    def alive(self) -> bool:
        """False after `die`, `close` or an EngineDied in a script."""
        return self._alive

    def will_say(self, *lines: Line) -> None:
        """Enqueue what one generation says. Without a Finished it ends with reason "stop"."""
        self._scripts.append(lines)

    def will_embed(self, text: str, vector: Vector) -> None:
        """Set the vector of an input, or let it wait or fail."""
        self._vectors[text] = vector

    def die(self) -> None:
        """Fall over: running generations raise EngineDied where they wait or at their next step."""
        self._alive = False
        for waiter in self._held:
            if not waiter.done():
                waiter.set_exception(EngineDied())

    @asynccontextmanager
    async def generate(self, order: Generation) -> AsyncIterator[TokenEvents]:
        """Say the next script. Raises EngineDied when dead, and whatever the script raises."""
        if not self._alive:
            raise EngineDied
        self.orders.append(order)
        script = self._scripts.popleft() if self._scripts else self.otherwise
        events = _Events()
        events.source = self._spoken(order, script, events)
        try:
            yield events
        finally:
            await events.source.aclose()

    async def _spoken(
        self, order: Generation, script: Script, events: _Events
    ) -> AsyncGenerator[TokenEvent, None]:
        said: list[str] = []
        ended = False
        try:
            line: Line = ""
            for line in script:
                if events.is_enough and not isinstance(line, Finished):
                    break
                await self._step(line)
                match line:
                    case str():
                        said.append(line)
                        yield Piece(line)
                    case Piece():
                        said.append(line.text)
                        yield line
            await self._step("")
            ended = True
            yield line if isinstance(line, Finished) else _ending(order, said)
        except Exception:
            ended = True  # it failed, nobody left it
            raise
        finally:
            self.cancelled += not ended

    async def _step(self, line: Line) -> None:
        """Wait or fail as the line says. A real engine never answers without a turn of the loop."""
        if isinstance(line, Hold):
            await line.passed(self._held)
        else:
            await asyncio.sleep(0)
        if isinstance(line, EngineDied):
            self.die()
        if isinstance(line, Exception):
            raise line
        if not self._alive:
            raise EngineDied

    async def embed(self, order: Embedding) -> Embeddings:
        """The vectors as set. Raises EngineDied when dead, and what was set for an input."""
        if not self._alive:
            raise EngineDied
        self.embeddings.append(order)
        vectors: list[bytes] = []
        for text in order.inputs:
            vector = self._vectors.get(text)
            if isinstance(vector, Hold | Exception):
                await self._step(vector)
                vector = None
            vectors.append(array("f", vector or (len(text.encode()), 1.0)).tobytes())
        await self._step("")
        return Embeddings(vectors, [len(text.encode()) for text in order.inputs])

    async def tokenize(self, text: str, *, special: bool = True) -> list[int]:
        """The bytes of a text."""
        return list(text.encode())

    async def count(self, text: str) -> int:
        """How many bytes that is."""
        return len(text.encode())

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of bytes. Raises BadRequest for numbers that are none."""
        if any(not 0 <= token < 256 for token in tokens):
            raise BadRequest("token out of range")
        return bytes(tokens).decode(errors="replace")

    async def measure(self, images: Sequence[bytes]) -> list[int]:
        """As many as a file has bytes."""
        return [len(image) for image in images]

    async def close(self) -> None:
        """End the engine; running generations raise EngineDied."""
        self.closes += 1
        self.die()


def _ending(order: Generation, said: list[str]) -> Finished:
    prompt = [*order.prefix, *order.prompt.encode()]
    return Finished(
        reason="stop",
        prompt_tokens=len(prompt),
        prompt_ns=1_000_000,
        eval_tokens=len(said),
        eval_ns=1_000_000 * len(said),
        tokens=(*prompt, *"".join(said).encode()) if order.want_tokens else None,
    )


class FakeLauncher:
    """A launcher of fake engines. `plans` are its orders, `engines` what it gave out.

    Engines that it makes itself share the scripts of `will_say`, and speak `otherwise` when none
    is left.
    """

    def __init__(self, *, otherwise: Script = ()) -> None:
        self.plans: list[LoadPlan] = []
        self.engines: list[FakeEngine] = []
        self.otherwise = otherwise
        self._launches: deque[tuple[Hold | Exception | FakeEngine, ...]] = deque()
        self._scripts: deque[Script] = deque()
        self._vectors: dict[str, Vector] = {}

    @property
    def embeddings(self) -> list[Embedding]:
        """All orders for vectors, engine by engine."""
        return [order for engine in self.engines for order in engine.embeddings]

    @property
    def orders(self) -> list[Generation]:
        """Everything its engines were asked, engine by engine."""
        return [order for engine in self.engines for order in engine.orders]

    def will_say(self, *lines: Line) -> None:
        """Enqueue what the next generation says, on whichever of its engines it runs."""
        self._scripts.append(lines)

    def will_embed(self, text: str, vector: Vector) -> None:
        """Set the vector of an input, on whichever of its engines it is asked for."""
        self._vectors[text] = vector

    def will_launch(self, *steps: Hold | Exception | FakeEngine) -> None:
        """Enqueue how one launch goes: holds, then an error or one engine (else a new one)."""
        self._launches.append(steps)

    async def launch(self, plan: LoadPlan) -> FakeEngine:
        """Give out the next engine, or fail as told."""
        self.plans.append(plan)
        await asyncio.sleep(0)
        engine = FakeEngine(
            plan, scripts=self._scripts, vectors=self._vectors, otherwise=self.otherwise
        )
        for step in self._launches.popleft() if self._launches else ():
            match step:
                case Hold():
                    await step.passed(set())
                case FakeEngine():
                    engine = step
                case _:
                    raise step
        self.engines.append(engine)
        return engine
