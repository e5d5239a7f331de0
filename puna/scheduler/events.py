"""The scheduler's vocabulary: what can happen to it, and what it can ask to be done."""

from __future__ import annotations

from dataclasses import dataclass

from puna.discover.hardware import Free
from puna.errors import PunaError
from puna.runner.protocol import LoadPlan
from puna.scheduler.state import Order, RunnerId

__all__ = [
    "Action",
    "Admit",
    "Asked",
    "Closed",
    "Died",
    "Event",
    "Expired",
    "Fail",
    "GaveUp",
    "Load",
    "LoadFailed",
    "Loaded",
    "Measure",
    "Measured",
    "Released",
    "Ring",
    "ShutDown",
    "Unload",
    "UnloadAsked",
]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request needs a model."""

    order: Order


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The client of a request left before it could use what it waited for."""

    number: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """A runner is ready. `size` and `size_vram` are the bytes it says it takes; 0: unknown."""

    runner: RunnerId
    size: int = 0
    size_vram: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What memory can be had, as Measure asked."""

    free: Free


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """A runner could not load its model, and is gone."""

    runner: RunnerId
    error: PunaError


@dataclass(frozen=True, slots=True)
class Released:
    """An admitted request is through with its runner."""

    runner: RunnerId
    number: int


@dataclass(frozen=True, slots=True)
class Expired:
    """The alarm rang: something may have lived out its time."""


@dataclass(frozen=True, slots=True)
class Died:
    """A runner ended by itself."""

    runner: RunnerId


@dataclass(frozen=True, slots=True)
class UnloadAsked:
    """Somebody wants a model out of memory. Orders that came before are still served."""

    key: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A runner that was to be unloaded is gone and its memory free."""

    runner: RunnerId


@dataclass(frozen=True, slots=True)
class ShutDown:
    """The server ends."""


Event = (
    Asked
    | GaveUp
    | Measured
    | Loaded
    | LoadFailed
    | Released
    | Expired
    | Died
    | UnloadAsked
    | Closed
    | ShutDown
)


@dataclass(frozen=True, slots=True)
class Admit:
    """Give the order a lease on a ready runner; Released must follow."""

    order: Order
    runner: RunnerId


@dataclass(frozen=True, slots=True)
class Fail:
    """Tell the order that it will not be served."""

    order: Order
    error: PunaError


@dataclass(frozen=True, slots=True)
class Load:
    """Start a runner; Loaded or LoadFailed must follow, unless it is unloaded before."""

    runner: RunnerId
    plan: LoadPlan


@dataclass(frozen=True, slots=True)
class Unload:
    """End a runner, loading or loaded; Closed must follow. `reason` is for the log."""

    runner: RunnerId
    reason: str


@dataclass(frozen=True, slots=True)
class Ring:
    """Send Expired at this moment, instead of at the one asked for before."""

    at: float


@dataclass(frozen=True, slots=True)
class Measure:
    """Look how much memory can be had; Measured must follow."""


Action = Admit | Fail | Load | Unload | Ring | Measure
