"""A running scheduler with fake engines and a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from puna.discover.hardware import Probe
from puna.errors import PunaError
from puna.runner.fake import FakeEngine, FakeLauncher, Hold
from puna.runner.protocol import LoadPlan
from puna.scheduler.loop import Scheduler
from puna.scheduler.state import Need
from tests.fakes.clock import FakeClock


def need(key: str, keep_alive: float | None = None, n_ctx: int = 4096) -> Need:
    plan = LoadPlan(model=key, n_ctx=n_ctx)
    return Need(key, plan, f"{key}:latest", f"digest of {key}", {"of": key}, keep_alive)


class Stage:
    """A running scheduler and what it is made of."""

    def __init__(
        self,
        *,
        max_loaded: int = 3,
        max_queue: int = 512,
        probe: Probe | None = None,
        max_replicas: int = 1,
    ) -> None:
        self.launcher = FakeLauncher()
        self.clock = FakeClock()
        self.scheduler = Scheduler(
            self.launcher,
            self.clock,
            keep_alive=300.0,
            max_loaded=max_loaded,
            max_queue=max_queue,
            load_timeout=300.0,
            probe=probe,
            max_replicas=max_replicas,
        )
        self.failed: list[PunaError] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.TaskGroup]:
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(self.scheduler.run())
            yield tasks
            run.cancel()

    async def use(self, wanted: Need, until: Hold | None = None) -> FakeEngine | None:
        """Hold a lease until told, or for no time; an error is kept in `failed`."""
        try:
            async with self.scheduler.lease(wanted) as lease:
                if until is not None:
                    await until.passed(set())
                assert isinstance(lease.engine, FakeEngine)
                return lease.engine
        except PunaError as error:
            self.failed.append(error)
            return None

    @property
    def names(self) -> list[str]:
        return [model.name for model in self.scheduler.loaded()]


def play(scene: Callable[[Stage], Awaitable[None]], stage: Stage | None = None) -> Stage:
    """Run a scene on a stage."""
    stage = Stage() if stage is None else stage

    async def whole() -> None:
        await scene(stage)

    asyncio.run(whole())
    return stage
