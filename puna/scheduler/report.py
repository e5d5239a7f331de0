"""What the scheduler shows of itself: the loaded models, who waits, and levels for metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from puna.metrics import Level
from puna.runner.protocol import Engine, EngineInfo, Priority
from puna.scheduler.state import SECOND_NS, Entry, Order, Phase, RunnerId, State

__all__ = ["LoadedModel", "Stats", "Waiting", "count", "levels", "loaded_models", "waiting_orders"]

CENTURIES = timedelta(days=292 * 365)
"""How far away clients see "forever": what the reference's nanoseconds can count to."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """One row of the list of loaded models. `n_ctx` is the most one request may use, in tokens."""

    name: str
    digest: str
    details: object
    info: EngineInfo
    expires_at: datetime
    n_ctx: int


@dataclass(frozen=True, slots=True)
class Stats:
    """How busy the scheduler is: orders that wait and run, models loaded and loading."""

    waiting: int
    running: int
    loaded: int
    loading: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """One request that waits. `position` counts from 1; `waited` is in seconds."""

    number: int
    position: int
    name: str
    client: str
    priority: Priority
    waited: float
    reason: str


def waiting_orders(state: State, now: float) -> list[Waiting]:
    """Who waits, the next first. `now` is in seconds of the scheduler's clock."""
    now_ns = int(now * SECOND_NS)
    turns = state.turns.order(list(state.waiting.values()), state.running.values(), now_ns)
    return [
        Waiting(
            number=order.number,
            position=position,
            name=order.need.name,
            client=order.client,
            priority=order.priority,
            waited=max(0, now_ns - order.arrived_ns) / SECOND_NS,
            reason=_reason(state, order),
        )
        for position, order in enumerate(turns, start=1)
    ]


def _reason(state: State, order: Order) -> str:
    entry = next(iter(state.runners_of(order.need.key)), None)
    if entry is None:
        if any(each.leaving for each in state.entries.values()):
            return "another model is being unloaded"
        if state.is_measuring:
            return "memory is being measured"
        return "other models have the memory"
    if entry.phase is Phase.LOADING and entry.serves(order):
        return "the model is waiting for memory" if entry.awaits else "the model is being loaded"
    if entry.serves(order) and entry.full:
        return f"the model serves {len(entry.leases)} requests already"
    return f"the model is being loaded again: {entry.reason or 'another plan'}"


def loaded_models(
    state: State, engines: Mapping[RunnerId, Engine], now: float, wall: datetime
) -> list[LoadedModel]:
    """Models in memory, the last to expire first. `now` and `wall` are the same moment."""
    rows = [
        LoadedModel(
            name=entry.need.name,
            digest=entry.need.digest,
            details=entry.need.details,
            info=engine.info,
            expires_at=_expires_at(entry, now, wall),
            n_ctx=engine.info.n_ctx,
        )
        for entry in state.entries.values()
        if entry.phase in (Phase.READY, Phase.DRAINING) and (engine := engines[entry.runner]).alive
    ]
    return sorted(rows, key=lambda row: row.expires_at, reverse=True)


def _expires_at(entry: Entry, now: float, wall: datetime) -> datetime:
    """When it will go: in use, as if its last request ended now; asked to go, at once."""
    if entry.leaving:
        return wall
    rest = entry.expires_at - now if entry.idle else entry.keep_alive
    return wall + (timedelta(seconds=rest) if rest < CENTURIES.total_seconds() else CENTURIES)


def count(state: State) -> Stats:
    """The counts of this moment."""
    phases = [entry.phase for entry in state.entries.values()]
    return Stats(
        waiting=len(state.waiting),
        running=sum(len(entry.leases) for entry in state.entries.values()),
        loaded=phases.count(Phase.READY) + phases.count(Phase.DRAINING),
        loading=phases.count(Phase.LOADING),
    )


def levels(stats: Stats, models: Iterable[LoadedModel]) -> Iterator[Level]:
    """The same for metrics, several runners of a model together."""
    yield Level("waiting_requests", stats.waiting)
    yield Level("running_requests", stats.running)
    yield Level("loading_models", stats.loading)
    yield Level("loaded_models", stats.loaded)
    by_name: dict[str, list[EngineInfo]] = {}
    for model in models:
        by_name.setdefault(model.name, []).append(model.info)
    for name, runners in by_name.items():
        yield Level("model_bytes", sum(info.size for info in runners), name)
        yield Level("model_video_bytes", sum(info.size_vram for info in runners), name)
        yield Level("kv_cells", sum(info.n_cells for info in runners), name)
        yield Level("kv_cells_used", sum(info.cells_used for info in runners), name)
        yield Level("kv_cells_held", sum(info.cells_held for info in runners), name)
