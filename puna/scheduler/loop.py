"""The scheduler at work: hands out leases on loaded models and carries out what decide.py decided.

Every event is decided at once, on the event loop; loads, unloads and the alarm are tasks of `run`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from typing import NoReturn, assert_never

from puna.discover.hardware import Free, Probe
from puna.errors import EngineDied, PunaError, StartFailed
from puna.log import fields
from puna.metrics import Level, Metrics
from puna.runner.protocol import Engine, Launcher, LoadPlan
from puna.scheduler.clock import Clock
from puna.scheduler.decide import DIED, decide
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
    Measure,
    Measured,
    Released,
    Ring,
    ShutDown,
    Unload,
    UnloadAsked,
)
from puna.scheduler.fit import Rules
from puna.scheduler.lease import Grant, Lease, Ticket, granted
from puna.scheduler.report import (
    LoadedModel,
    Stats,
    Waiting,
    count,
    levels,
    loaded_models,
    waiting_orders,
)
from puna.scheduler.room import MEMORY, PLACE
from puna.scheduler.state import SECOND_NS, Limits, Need, Order, RunnerId, State

__all__ = ["Scheduler"]

log = logging.getLogger(__name__)

_GIVEN_BACK = 0.75  # of a runner's memory on cards: then it counts as gone
_RECOVERY_SECONDS = 5.0
_RECOVERY_POLL = 0.25

LOAD_ALLOWANCE = 12
"""A whole load may take this many times the stall limit, progress or not.

The launcher watches progress and gives up on a load that stalls. This is the stop behind it, for a
launcher that itself never comes back: its place would be lost. At the default limit it is an hour.
"""


class Scheduler:
    """Decides who is loaded and hands out leases. `run` must be running for loads to happen.

    `keep_alive` and `load_timeout` are seconds; `load_timeout` is how long a load may stall, which
    the launcher watches (see LOAD_ALLOWANCE). At least one waiting order is allowed; `max_loaded` 0
    leaves the number of models to the cards.
    `probe` says how much memory there is before each load; without one everything is loaded as it
    is planned. `rules` are the settings that decide how;
    one model may have `max_replicas` runners.
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
        probe: Probe | None = None,
        rules: Rules | None = None,
        max_replicas: int = 1,
        metrics: Metrics | None = None,
    ) -> None:
        limits = Limits(
            keep_alive=keep_alive,
            max_loaded=max_loaded,
            max_queue=max(1, max_queue),
            load_seconds=load_timeout * LOAD_ALLOWANCE,
            measures=probe is not None,
            max_replicas=max_replicas,
            rules=rules or Rules(),
        )
        self._probe = probe
        self.metrics = metrics or Metrics()
        """What is counted here and of the answers that leases are for."""
        self.metrics.watch(self._levels)
        self._launcher = launcher
        self._clock = clock
        self._state = State(limits)
        self._answers: dict[int, asyncio.Future[Grant]] = {}
        self._engines: dict[RunnerId, Engine] = {}
        self._loads: dict[RunnerId, asyncio.Task[None]] = {}
        self._loading: dict[RunnerId, tuple[float, float]] = {}  # when each began, and was ready
        self._work: asyncio.Queue[Load | Unload | Ring | Measure] = asyncio.Queue()

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
        async with self.ask(need) as ticket:
            yield await ticket.lease()

    @asynccontextmanager
    async def ask(self, need: Need) -> AsyncIterator[Ticket]:
        """Ask for a model as `lease` does, and see what it waits for meanwhile."""
        asked_at = self._clock.now()
        order = Order(self._state.last_order + 1, need, int(asked_at * SECOND_NS))
        answer: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._answers[order.number] = answer
        try:
            self._feed(Asked(order))
            yield Ticket(order, answer, asked_at, self._clock, self.queue)
        except EngineDied:
            if (grant := granted(answer)) is not None:
                self._feed(Died(grant.runner))
            raise
        finally:
            del self._answers[order.number]
            grant = granted(answer)  # looks at an error that nobody has seen, too
            over = GaveUp(order.number) if grant is None else Released(grant.runner, order.number)
            self._feed(over)

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

    def queue(self) -> list[Waiting]:
        """The requests that wait, the next first, and what each waits for."""
        return waiting_orders(self._state, self._clock.now())

    @property
    def max_queue(self) -> int:
        """How many requests may wait."""
        return self._state.limits.max_queue

    def stats(self) -> Stats:
        """How busy it is at this moment."""
        return count(self._state)

    def _feed(self, event: Event) -> None:
        """Decide an event, after deaths that nobody has reported yet: no order meets a corpse."""
        dead = [Died(runner) for runner, engine in self._engines.items() if not engine.alive]
        for news in (*dead, event):
            for action in decide(self._state, news, self._clock.now()):
                self._act(action)

    def _act(self, action: Action) -> None:
        match action:
            case Admit(order, runner):
                log.debug("admitted", extra=fields(model=order.need.name, order=order.number))
                answer = self._answers[order.number]
                if not answer.done():
                    answer.set_result(Grant(runner, self._engines[runner], *self._loading[runner]))
            case Fail(order, error):
                log.debug("not admitted", extra=fields(model=order.need.name, why=error))
                answer = self._answers[order.number]
                if not answer.done():
                    answer.set_exception(error)
            case Load() | Unload() | Ring() | Measure():
                log.debug("to do", extra=fields(action=action))
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
                case Measure():
                    tasks.create_task(self._measure())
                case Ring(moment):
                    if alarm is not None:
                        alarm.cancel()
                    alarm = tasks.create_task(self._ring(moment))

    async def _load(self, runner: RunnerId, plan: LoadPlan) -> None:
        log.info("loading %s with a context of %d tokens", runner.key, plan.n_ctx)
        name, began = self._name(runner), self._clock.now()
        try:
            engine = await self._launcher.launch(plan)
        except PunaError as error:
            log.warning("%s did not load: %s", runner.key, error)
            self.metrics.load_failed(name)
            self._feed(LoadFailed(runner, error))
        except Exception as cause:  # task owner: whoever waits must hear of it
            log.exception("%s did not load", runner.key)
            self.metrics.load_failed(name)
            self._feed(LoadFailed(runner, StartFailed(str(cause))))
        else:
            self._engines[runner] = engine
            self._loading[runner] = began, self._clock.now()
            self.metrics.loaded(name, self._clock.now() - began)
            self._feed(Loaded(runner, engine.info.size, engine.info.size_vram))
        finally:
            self._loads.pop(runner, None)

    async def _unload(self, runner: RunnerId, reason: str) -> None:
        log.info("unloading %s: %s", runner.key, reason)
        if reason in (MEMORY, PLACE):
            self.metrics.evicted(self._name(runner))
        elif reason == DIED:
            self.metrics.crashed(self._name(runner))
        load = self._loads.pop(runner, None)
        if load is not None:
            load.cancel()
            await asyncio.wait([load])
        engine, entry = self._engines.get(runner), self._state.entry(runner)
        expected = engine.info.size_vram if engine is not None and engine.alive else 0
        cards = entry.plan.cards if entry is not None and expected else ()
        before = await self._free_video(cards)
        await self._end_engine(runner)
        if before is not None:
            await self._wait_for_video(cards, before + int(expected * _GIVEN_BACK))
        self._feed(Closed(runner))

    def _name(self, runner: RunnerId) -> str:
        entry = self._state.entry(runner)
        return entry.need.name if entry is not None else ""

    def _levels(self) -> Iterator[Level]:
        return levels(self.stats(), self.loaded())

    async def _measure(self) -> None:
        free = Free(None) if self._probe is None else await self._probe.free()
        self._feed(Measured(free))

    async def _free_video(self, indices: Collection[int]) -> int | None:
        """Free bytes of those of these cards that have memory of their own; None: none has."""
        if self._probe is None or not indices:
            return None
        cards = (await self._probe.free()).cards
        own = [card.free for card in cards if card.index in indices and card.has_own_memory]
        return sum(own) if own else None

    async def _wait_for_video(self, cards: Collection[int], wanted: int) -> None:
        """A driver gives memory back some time after the process that had it is gone."""
        end = self._clock.now() + _RECOVERY_SECONDS
        while (free := await self._free_video(cards)) is not None and free < wanted:
            if self._clock.now() >= end:
                log.warning("memory of graphics cards was not given back in time")
                return
            await self._clock.sleep_until(self._clock.now() + _RECOVERY_POLL)

    async def _end_engine(self, runner: RunnerId) -> None:
        engine = self._engines.get(runner)
        if engine is None:
            return
        try:
            await engine.close()
        except Exception:  # task owner: the others still have to be closed
            log.exception("closing %s", runner.key)
        self._engines.pop(runner, None)
        self._loading.pop(runner, None)

    async def _ring(self, moment: float) -> None:
        await self._clock.sleep_until(moment)
        self._feed(Expired())
