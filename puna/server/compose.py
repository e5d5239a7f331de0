"""The only place where concrete classes are chosen and joined."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from puna.config import Settings
from puna.server.services import Services

__all__ = ["open_services"]


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Start what the services stand on and hand them out; leaving ends every runner.

    The body of the `with` runs inside the scheduler's task group: if the scheduler fails, so does
    the server.
    """
    raise NotImplementedError("the services are joined here")
    yield
