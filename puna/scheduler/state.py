"""What the scheduler knows: who is loaded and who waits. Values only; decide.py changes them."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from puna.runner.protocol import LoadPlan
from puna.scheduler.plans import mismatch

__all__ = ["Entry", "Limits", "Need", "Order", "Phase", "RunnerId", "State"]


@dataclass(frozen=True, slots=True)
class Need:
    """A model that a request needs.

    `key` is the path of the weights: names that share it share a runner. `keep_alive` is in
    seconds; None leaves what the runner has, 0 unloads as soon as idle, infinity never does.
    `name`, `digest` and `details` are what the list of loaded models shows.
    """

    key: str
    plan: LoadPlan
    name: str
    digest: str = ""
    details: object = None
    keep_alive: float | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One request for a model; the numbers rise in order of arrival."""

    number: int
    need: Need


@dataclass(frozen=True, slots=True)
class RunnerId:
    """One runner of a model. The serial tells it from the one before, so late news does no harm."""

    key: str
    serial: int


class Phase(enum.Enum):
    """The life of a runner; it only ever goes forward."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    """Asked to go: finishes its leases, takes no new orders, never comes back."""
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Limits:
    """The scheduler's settings. `load_seconds` is the most that one load may take in all."""

    keep_alive: float
    max_loaded: int
    max_queue: int
    load_seconds: float = float("inf")


@dataclass(slots=True)
class Entry:
    """One runner and its users.

    `used_at` is when it was loaded, taken or released last. `admits_until` is the number of the
    last order it may still take when somebody asked for its unload. `awaits` are runners that
    must close before a load that ran out of memory is tried again.
    """

    runner: RunnerId
    need: Need
    keep_alive: float
    used_at: float
    deadline: float
    phase: Phase = Phase.LOADING
    leases: set[int] = field(default_factory=set)
    admits_until: int | None = None
    awaits: set[RunnerId] = field(default_factory=set)
    retried: bool = False
    reason: str = ""

    @property
    def plan(self) -> LoadPlan:
        """How it was loaded."""
        return self.need.plan

    @property
    def leaving(self) -> bool:
        """Whether its place will be free without anybody else being asked to go."""
        return self.phase in (Phase.DRAINING, Phase.CLOSING)

    @property
    def idle(self) -> bool:
        """Whether it could be closed without hurting anybody."""
        return self.phase in (Phase.READY, Phase.DRAINING) and not self.leases

    @property
    def full(self) -> bool:
        """Whether every sequence is taken. More orders wait in our queue, where they count."""
        return len(self.leases) >= max(1, self.plan.max_sequences)

    @property
    def expires_at(self) -> float:
        """When an idle runner's keep-alive ends."""
        return self.used_at + self.keep_alive

    def serves(self, order: Order) -> bool:
        """Whether the order is for this runner: now, when it has loaded, or when it is not full."""
        if self.phase is Phase.CLOSING or mismatch(self.plan, order.need.plan):
            return False
        if self.admits_until is not None:
            return order.number <= self.admits_until
        return self.phase is not Phase.DRAINING


@dataclass(slots=True)
class State:
    """Everything the scheduler knows. `alarm` is the moment the clock was last asked to ring."""

    limits: Limits
    entries: dict[str, Entry] = field(default_factory=dict)
    waiting: dict[int, Order] = field(default_factory=dict)
    last_order: int = 0
    last_serial: int = 0
    alarm: float | None = None
    shut: bool = False

    def entry(self, runner: RunnerId) -> Entry | None:
        """The entry of exactly this runner, None when it is gone."""
        entry = self.entries.get(runner.key)
        return entry if entry is not None and entry.runner == runner else None

    def waiting_for(self, key: str) -> Iterator[Order]:
        """Orders that wait for a model, oldest first."""
        return (order for order in self.waiting.values() if order.need.key == key)
