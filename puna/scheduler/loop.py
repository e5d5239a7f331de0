"""The scheduler at work: hands out leases on loaded models and carries out what decide.py decided.

Every event is decided at once, on the event loop; loads, unloads and the alarm are tasks of `run`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn, assert_never

from puna.errors import EngineDied, PunaError, StartFailed
from puna.runner.protocol import Engine, Launcher, LoadPlan
from puna.scheduler.clock import Clock
from puna.scheduler.decide import decide
from puna.scheduler.events import (
    Action,
    Admit,
    Asked,
    Closed,
    Died,
    Event,
    Expired,
    Fail,
    GaveUp,
    Load,
    Loaded,
    LoadFailed,
    Released,
    Ring,
    ShutDown,
    Unload,
    UnloadAsked,
)
from puna.scheduler.report import LoadedModel, Stats, count, loaded_models
from puna.scheduler.state import Limits, Need, Order, RunnerId, State

__all__ = ["Lease", "Scheduler"]

log = logging.getLogger(__name__)

SECOND_NS = 1_000_000_000

LOAD_ALLOWANCE = 12
"""A whole load may take this many times the stall limit, progress or not.

The launcher watches progress and gives up on a load that stalls. This is the stop behind it, for a
launcher that itself never comes back: its place would be lost. At the default limit it is an hour.
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """The use of a loaded model. `load_ns` is the time from the request to the ready runner."""

    engine: Engine
    load_ns: int


@dataclass(frozen=True, slots=True)
class _Grant:
    """An admission on its way to the task that waits for it."""

    runner: RunnerId
    engine: Engine


class Scheduler:
    """Decides who is loaded and hands out leases. `run` must be running for loads to happen.

    `keep_alive` and `load_timeout` are seconds; `load_timeout` is how long a load may stall, which
    the launcher watches (see LOAD_ALLOWANCE). At least one model and one waiting order are allowed.
    """

    def __init__(
        self,
        launcher: Launcher,
        clock: Clock,
        *,
        keep_alive: float,
        max_loaded: int,
        max_queue: int,
        load_timeout: float,
    ) -> None:
        limits = Limits(
            keep_alive=keep_alive,
            max_loaded=max(1, max_loaded),
            max_queue=max(1, max_queue),
            load_seconds=load_timeout * LOAD_ALLOWANCE,
        )
        self._launcher = launcher
        self._clock = clock
        self._state = State(limits)
        self._answers: dict[int, asyncio.Future[_Grant]] = {}
        self._engines: dict[RunnerId, Engine] = {}
        self._loads: dict[RunnerId, asyncio.Task[None]] = {}
        self._work: asyncio.Queue[Load | Unload | Ring] = asyncio.Queue()

    async def run(self) -> None:
        """Load, unload and expire until cancelled; then fail who waits and close all engines."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._carry_out(tasks)
        finally:
            self._feed(ShutDown())
            async with asyncio.TaskGroup() as tasks:
                for runner in list(self._engines):
                    tasks.create_task(self._end_engine(runner))

    @asynccontextmanager
    async def lease(self, need: Need) -> AsyncIterator[Lease]:
        """Wait for a model and use it; leaving gives it back.

        Raises Busy when too many wait, Cancelled when the server ends, and whatever kept the model
        from loading. Cancelling the task that waits withdraws its order; a load goes on without it.
        """
        asked_at = self._clock.now()
        order = Order(self._state.last_order + 1, need)
        grant = await self._admission(order)
        try:
            waited = self._clock.now() - asked_at
            yield Lease(grant.engine, int(waited * SECOND_NS))
        except EngineDied:
            self._feed(Died(grant.runner))
            raise
        finally:
            self._feed(Released(grant.runner, order.number))

    def unload(self, key: str) -> None:
        """Ask a model out of memory: at once when idle, else when the requests before this ended.

        A model that is not loaded is fine.
        """
        self._feed(UnloadAsked(key))

    def loaded(self) -> list[LoadedModel]:
        """The models in memory, the last to expire first."""
        return loaded_models(self._state, self._engines, self._clock.now(), self._clock.wall())

    def files(self) -> set[str]:
        """The paths of the files that runners have loaded or load."""
        plans = [entry.need.plan for entry in self._state.entries.values()]
        return {path for plan in plans for path in plan.files}

    def stats(self) -> Stats:
        """How busy it is at this moment."""
        return count(self._state)

    async def _admission(self, order: Order) -> _Grant:
        answer: asyncio.Future[_Grant] = asyncio.get_running_loop().create_future()
        self._answers[order.number] = answer
        try:
            self._feed(Asked(order))
            return await answer
        except asyncio.CancelledError:
            if not answer.cancelled():
                answer.exception()  # refused in the very moment it left: nobody will look at it
            self._feed(GaveUp(order.number))
            raise
        finally:
            del self._answers[order.number]

    def _feed(self, event: Event) -> None:
        """Decide an event, after deaths that nobody has reported yet: no order meets a corpse."""
        dead = [Died(runner) for runner, engine in self._engines.items() if not engine.alive]
        for news in (*dead, event):
            for action in decide(self._state, news, self._clock.now()):
                self._act(action)

    def _act(self, action: Action) -> None:
        match action:
            case Admit(order, runner):
                answer = self._answers[order.number]
                if not answer.done():
                    answer.set_result(_Grant(runner, self._engines[runner]))
            case Fail(order, error):
                answer = self._answers[order.number]
                if not answer.done():
                    answer.set_exception(error)
            case Load() | Unload() | Ring():
                self._work.put_nowait(action)
            case _:
                assert_never(action)

    async def _carry_out(self, tasks: asyncio.TaskGroup) -> NoReturn:
        alarm: asyncio.Task[None] | None = None
        while True:
            match await self._work.get():
                case Load(runner, plan):
                    self._loads[runner] = tasks.create_task(self._load(runner, plan))
                case Unload(runner, reason):
                    tasks.create_task(self._unload(runner, reason))
                case Ring(moment):
                    if alarm is not None:
                        alarm.cancel()
                    alarm = tasks.create_task(self._ring(moment))

    async def _load(self, runner: RunnerId, plan: LoadPlan) -> None:
        log.info("loading %s with a context of %d tokens", runner.key, plan.n_ctx)
        try:
            engine = await self._launcher.launch(plan)
        except PunaError as error:
            log.warning("%s did not load: %s", runner.key, error)
            self._feed(LoadFailed(runner, error))
        except Exception as cause:  # task owner: whoever waits must hear of it
            log.exception("%s did not load", runner.key)
            self._feed(LoadFailed(runner, StartFailed(str(cause))))
        else:
            self._engines[runner] = engine
            self._feed(Loaded(runner))
        finally:
            self._loads.pop(runner, None)

    async def _unload(self, runner: RunnerId, reason: str) -> None:
        log.info("unloading %s: %s", runner.key, reason)
        load = self._loads.pop(runner, None)
        if load is not None:
            load.cancel()
            await asyncio.wait([load])
        await self._end_engine(runner)
        self._feed(Closed(runner))

    async def _end_engine(self, runner: RunnerId) -> None:
        engine = self._engines.get(runner)
        if engine is None:
            return
        try:
            await engine.close()
        except Exception:  # task owner: the others still have to be closed
            log.exception("closing %s", runner.key)
        self._engines.pop(runner, None)

    async def _ring(self, moment: float) -> None:
        await self._clock.sleep_until(moment)
        self._feed(Expired())
