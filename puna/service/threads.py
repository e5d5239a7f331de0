"""The one way from the event loop to blocking work: a bounded pool of threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["in_thread"]

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in the loop's default pool and wait for it.

    A cancelled caller stops waiting; the work itself goes on to its end.
    """
    return await asyncio.to_thread(work, *args, **kwargs)
