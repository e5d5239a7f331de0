"""What the scheduler knows: who is loaded and who waits. Values only; decide.py changes them."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from puna.discover.hardware import Free
from puna.gguf.footprint import Footprint
from puna.runner.protocol import LoadPlan, Priority
from puna.runner.queueing import Turns
from puna.scheduler.fit import Loads, Rules, Use
from puna.scheduler.plans import mismatch

__all__ = ["SECOND_NS", "Entry", "Limits", "Need", "Order", "Phase", "RunnerId", "State"]

SECOND_NS = 1_000_000_000
_MODELS_PER_CARD = 3
_REPLICA_SECONDS = 60.0  # that a runner which is one of several stays idle
_RISE_NS = 60 * SECOND_NS  # as long as a model may be held: else all who wait for one would rise
_LEAST_RELOAD = 1.0  # seconds: what loads faster is no better kept than that


@dataclass(frozen=True, slots=True)
class Need:
    """A model that a request needs.

    `key` is the path of the weights: names that share it share a runner. `keep_alive` is in
    seconds; None leaves what the runner has, 0 unloads as soon as idle, infinity never does.
    `name`, `digest` and `details` are what the list of loaded models shows. `footprint` says what
    memory the model depends on, None where that is not known; `extra` are the bytes that its other
    files take. `client` is who asks, `deadline` the seconds after which it does not want to wait
    any more.
    """

    key: str
    plan: LoadPlan
    name: str
    digest: str = ""
    details: object = None
    keep_alive: float | None = None
    footprint: Footprint | None = None
    extra: int = 0
    client: str = ""
    priority: Priority = "normal"
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One request for a model; the numbers rise in order of arrival, at `arrived_ns`."""

    number: int
    need: Need
    arrived_ns: int = 0

    @property
    def client(self) -> str:
        """Who asks: clients take turns."""
        return self.need.client

    @property
    def priority(self) -> Priority:
        """How important it is."""
        return self.need.priority

    @property
    def gives_up_at(self) -> float:
        """When it does not want to wait any more, in seconds of the scheduler's clock."""
        if self.need.deadline is None:
            return float("inf")
        return self.arrived_ns / SECOND_NS + self.need.deadline


@dataclass(frozen=True, slots=True)
class RunnerId:
    """One runner. `key` is its model's, or with an addition that of a further runner of the model.

    The serial tells it from the one before, so late news does no harm.
    """

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
    """The scheduler's settings. `load_seconds` is the most that one load may take in all.

    `max_loaded` models may be loaded; 0: three, or three for each card once these were measured.
    With `measures` memory is looked at before a load, and nothing is loaded that does not fit.
    One model may have `max_replicas` runners.
    """

    keep_alive: float
    max_loaded: int
    max_queue: int
    load_seconds: float = float("inf")
    measures: bool = False
    max_replicas: int = 1
    rules: Rules = field(default_factory=Rules)


@dataclass(slots=True)
class Entry:
    """One runner and its users.

    `plan` is how it is loaded: its need's, with what was left open decided. `use` is the memory it
    takes, as it was estimated and, once loaded, as its runner says; `is_seen`: the last measurement
    was made when it had it. `used_at` is when it was loaded, taken or released last; `load_took`
    the seconds from its order to its being ready, at `ready_at`; it was taken `served` times.
    `admits_until` is the number of the last order it may still take when somebody asked for its
    unload. `awaits` are runners that
    must close before a load that ran out of memory is tried again. `clients` are those that it
    served while its model had several runners; with `is_last` it gets no further one beside it.
    """

    runner: RunnerId
    need: Need
    plan: LoadPlan
    keep_alive: float
    used_at: float
    deadline: float
    use: Use = field(default_factory=Use)
    is_seen: bool = False
    load_took: float = 0.0
    ready_at: float = 0.0
    served: int = 0
    phase: Phase = Phase.LOADING
    leases: set[int] = field(default_factory=set)
    admits_until: int | None = None
    awaits: set[RunnerId] = field(default_factory=set)
    retried: bool = False
    reason: str = ""
    clients: set[str] = field(default_factory=set)
    is_last: bool = False

    @property
    def is_replica(self) -> bool:
        """Whether it was loaded because another runner of its model had too much to do."""
        return self.runner.key != self.need.key

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

    def idle_worth(self, now: float) -> float:
        """How long nobody used it, in times of what loading it again would take."""
        return (now - self.used_at) / max(self.load_took, _LEAST_RELOAD)

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
    """Everything the scheduler knows. `alarm` is the moment the clock was last asked to ring.

    `n_cards` is how many cards there were when memory was measured last.
    `free` is the memory as it was measured since it last changed, None until that is done (then
    `is_measuring`). `cramped` is the order for which others must give memory up. `scales` correct
    the estimates of models by what their runners took.
    """

    limits: Limits
    entries: dict[str, Entry] = field(default_factory=dict)
    waiting: dict[int, Order] = field(default_factory=dict)
    running: dict[int, Order] = field(default_factory=dict)
    turns: Turns = field(default_factory=lambda: Turns(_RISE_NS))
    free: Free | None = None
    is_measuring: bool = False
    scales: dict[str, float] = field(default_factory=dict)
    cramped: int | None = None
    last_order: int = 0
    last_serial: int = 0
    n_cards: int = 0
    alarm: float | None = None
    shut: bool = False

    @property
    def max_loaded(self) -> int:
        """How many runners there may be."""
        return self.limits.max_loaded or _MODELS_PER_CARD * max(1, self.n_cards)

    def entry(self, runner: RunnerId) -> Entry | None:
        """The entry of exactly this runner, None when it is gone."""
        entry = self.entries.get(runner.key)
        return entry if entry is not None and entry.runner == runner else None

    def runners_of(self, key: str) -> list[Entry]:
        """All runners of a model, the oldest first."""
        return [entry for entry in self.entries.values() if entry.need.key == key]

    def expires_at(self, entry: Entry) -> float:
        """When an idle runner goes: one beside others of its model sooner than the model."""
        others = self.runners_of(entry.need.key) if entry.is_replica else []
        if any(each is not entry and each.phase is Phase.READY for each in others):
            return min(entry.expires_at, entry.used_at + _REPLICA_SECONDS)
        return entry.expires_at

    def loads(self, without: Collection[RunnerId] = ()) -> Loads:
        """What is loaded, but for some that are thought away."""
        entries = [entry for entry in self.entries.values() if entry.runner not in without]
        unseen = tuple(entry.use for entry in entries if not entry.is_seen)
        return Loads(tuple(entry.use for entry in entries), unseen)

    def waiting_for(self, key: str) -> Iterator[Order]:
        """Orders that wait for a model, oldest first."""
        return (order for order in self.waiting.values() if order.need.key == key)
