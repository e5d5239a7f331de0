"""Starts runner children, and ends all of them with its scope."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from puna.config import FOREVER, child_environment
from puna.runner.handle import ProcessEngine
from puna.runner.protocol import LoadPlan, WarmPlan

__all__ = ["ProcessLauncher", "runner_environment"]

_SPIN_COUNT = "60000"  # longer than the loop needs between two decodes; from 150000 on two fight
_HUGE_PAGES = "glibc.malloc.hugetlb=1"  # large buffers are advised, no page is set aside


def runner_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of a runner: what it inherits, and unless that says otherwise huge pages and
    brief spinning.

    Weights, cells and what is computed lie in buffers of many megabytes, of which each token reads
    all: in pages of 4 KiB the processor looks their places up again and again. Linux gives huge
    pages by itself where it is told "always", most systems say "madvise"; musl and macOS pass this
    variable over.

    By default GNU OpenMP's threads spin for milliseconds at each of the hundreds of barriers of a
    decode. As soon as they outnumber the free cores, each wait costs a time slice: two runners of a
    tiny model on two busy cores fell from 250 tokens a second each to 2.
    """
    environment = {"GLIBC_TUNABLES": _HUGE_PAGES, **inherited}
    if "OMP_WAIT_POLICY" not in inherited:
        environment.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)
    return environment


class ProcessLauncher:
    """Starts runner children; leaving its scope ends all of them."""

    def __init__(
        self,
        load_timeout: float = FOREVER,
        warm: WarmPlan | None = None,
        step_timeout: float = FOREVER,
    ) -> None:
        """`load_timeout`: seconds that a load may go on without any progress; `step_timeout`: those
        that a loaded runner may do nothing while requests wait for it.

        `warm` is where runners save prefixes when they end.
        """
        self._load_timeout = load_timeout
        self._warm = warm
        self._step_timeout = step_timeout
        self._tasks = asyncio.TaskGroup()
        self._engines: set[ProcessEngine] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for engine in list(self._engines):
            await engine.close()
        # what went wrong in the scope is not the tasks' failure: it goes on as it is
        await self._tasks.__aexit__(None, None, None)

    async def launch(self, plan: LoadPlan) -> ProcessEngine:
        """Load a model in a child of its own. Raises StartFailed, OutOfMemory, BadRequest."""
        environment = runner_environment(child_environment())
        engine = await ProcessEngine.start(
            environment, self._tasks, self._engines.discard, self._step_timeout
        )
        self._engines.add(engine)
        try:
            await engine.load(plan, self._load_timeout, self._warm)
        except BaseException:
            await engine.close()
            raise
        return engine
