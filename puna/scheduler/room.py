"""Who must go so that another model can be loaded. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from puna.scheduler.fit import Fitted, fit, given_back
from puna.scheduler.hold import homeless, urgent, yielding
from puna.scheduler.state import Entry, Need, Phase, State

__all__ = ["FOREVER", "MEMORY", "PLACE", "drain", "fit_alone", "fit_without", "make_room"]

FOREVER = float("inf")
PLACE = "another model needs the place"
MEMORY = "another model needs the memory"


def make_room(state: State, now: float) -> None:
    """Ask runners to go: as many as there are models without a place, and so many that the model
    which is next has the memory. Idle ones first; held ones (hold.py) for urgent orders only.

    A runner that is leaving counts as gone, unless it does for its own model's sake. A busy one
    that is leaving may take long, so that idle ones are asked in spite of it; busy ones are not.
    """
    _make_places(state, len(urgent(state)), _soonest(state, now))
    _make_places(state, len(homeless(state)), yielding(state, _ready(state, now), now))
    cramped = state.waiting.get(state.cramped) if state.cramped is not None else None
    if cramped is not None:
        is_urgent = cramped.priority == "high"
        ready = _soonest(state, now) if is_urgent else yielding(state, _ready(state, now), now)
        _make_memory(state, cramped.need, ready)


def _make_places(state: State, shortage: int, ready: Sequence[Entry]) -> None:
    """Ask of these as many to go as there are places short."""
    wanted = {order.need.key for order in state.waiting.values()}
    spare = [
        entry
        for entry in state.entries.values()
        if entry.leaving and (entry.need.key not in wanted or entry.reason in (PLACE, MEMORY))
    ]
    idle = [entry for entry in ready if entry.idle]
    busy = [entry for entry in ready if not entry.idle]
    places = max(0, state.max_loaded - len(state.entries))
    soon = sum(not entry.leases for entry in spare) + places
    going = idle[: max(0, shortage - soon)]
    going += busy[: max(0, shortage - places - len(spare) - len(going))]
    for entry in going:
        drain(entry, PLACE)


def _ready(state: State, now: float) -> list[Entry]:
    """Those that could be asked, the one that is missed least first."""
    ready = (entry for entry in state.entries.values() if entry.phase is Phase.READY)
    return sorted(ready, key=lambda entry: _worth(entry, now))


def _soonest(state: State, now: float) -> list[Entry]:
    """The same, but the one that has least to finish first."""
    return sorted(_ready(state, now), key=lambda entry: len(entry.leases))


def _worth(entry: Entry, now: float) -> tuple[bool, bool, float, str]:
    """The least goes first: long unused for what its load takes; those to be kept forever last.
    Before all of them one whose model has another runner.
    """
    is_kept = entry.keep_alive == FOREVER
    return not entry.is_replica, is_kept, -entry.idle_worth(now), entry.runner.key


def _make_memory(state: State, need: Need, ready: Sequence[Entry]) -> None:
    """Ask idle runners of these to go, one by one, until the model would fit as well as alone; then
    busy ones.

    Those that would not have been needed after all are spared.
    """
    going = [entry for entry in state.entries.values() if entry.leaving]
    alone = fit_alone(state, need)
    if alone is None or _fits_without(state, need, going, alone):
        return
    asked: list[Entry] = []
    for entry in [each for each in ready if each.idle] + [each for each in ready if not each.idle]:
        asked.append(entry)
        if _fits_without(state, need, [*going, *asked], alone):
            break
    else:
        return
    for entry in list(asked[:-1]):
        fewer = [each for each in asked if each is not entry]
        if _fits_without(state, need, [*going, *fewer], alone):
            asked = fewer
    for entry in asked:
        drain(entry, MEMORY)


def fit_alone(state: State, need: Need) -> Fitted | None:
    """How the model could be loaded if nothing else were."""
    return fit_without(state, need, list(state.entries.values()))


def _fits_without(state: State, need: Need, gone: list[Entry], alone: Fitted) -> bool:
    """Whether the model would fit as well as `alone`."""
    found = fit_without(state, need, gone)
    return found is not None and found.is_as_good_as(alone)


def fit_without(state: State, need: Need, gone: Sequence[Entry] = ()) -> Fitted | None:
    """How the model could be loaded if these were gone, None where it could not."""
    if need.footprint is None or state.free is None:
        return None
    free = given_back(state.free, [entry.use for entry in gone if entry.is_seen])
    loads = state.loads({entry.runner for entry in gone})
    scale = state.scales.get(need.key, 1.0)
    rules = state.limits.rules
    return fit(need.footprint, need.plan, free, loads, rules, extra=need.extra, scale=scale)


def drain(entry: Entry, reason: str) -> None:
    """Let a runner finish what it does and take nothing new."""
    entry.phase = Phase.DRAINING
    entry.reason = reason
