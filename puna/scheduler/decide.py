"""The scheduler's rules: a state, an event and the time give actions.

Nothing here waits, asks the clock or touches a runner. Each event is first noted in the state, then
the same four steps (settle.py, room.py) settle what follows from it: serve, make room, close, set
the alarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from msgspec.structs import replace

from puna.errors import Busy, Cancelled, OutOfMemory, PunaError, StartFailed, WaitedTooLong
from puna.runner.protocol import LoadPlan
from puna.scheduler.events import (
    Action,
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
    Measured,
    Released,
    ShutDown,
    UnloadAsked,
)
from puna.scheduler.fit import Use, smaller_contexts, use_of
from puna.scheduler.room import MEMORY, drain, make_room
from puna.scheduler.settle import FOREVER, close, close_idle, serve, set_alarm
from puna.scheduler.state import Entry, Order, Phase, RunnerId, State

__all__ = ["DIED", "decide"]

DIED = "it died"
TIMED_OUT = "timed out waiting for model runner to start"
_FEWER_LAYERS = 0.8  # of what did not fit on cards


def decide(state: State, event: Event, now: float) -> list[Action]:
    """Take an event into the state and say what is to be done about it, in order.

    `now` is in seconds of the clock that alarms are set by. The caller reports every end of what
    it was asked to do as an event of its own.
    """
    actions = _note(state, event, now)
    if state.shut:
        return actions
    actions += serve(state, now)
    make_room(state, now)
    actions += close_idle(state, now)
    actions += set_alarm(state, now)
    if not state.waiting:
        state.free = None  # whoever comes next looks anew: others use memory, too
    return actions


def _note(state: State, event: Event, now: float) -> list[Action]:
    match event:
        case Asked(order):
            return _asked(state, order)
        case GaveUp(number):
            return _gave_up(state, number, now)
        case Measured():
            return _measured(state, event)
        case Loaded():
            return _loaded(state, event, now)
        case LoadFailed(runner, error):
            return _load_failed(state, runner, error, now)
        case Released(runner, number):
            return _released(state, runner, number, now)
        case Expired():
            return _expired(state, now)
        case Died(runner):
            return _died(state, runner)
        case UnloadAsked(key):
            return _unload_asked(state, key)
        case Closed(runner):
            return _closed(state, runner, now)
        case ShutDown():
            return _shut_down(state)
        case _:
            assert_never(event)


# What each event changes


def _asked(state: State, order: Order) -> list[Action]:
    state.last_order = max(state.last_order, order.number)
    if state.shut:
        return [Fail(order, Cancelled())]
    at_once = any(
        entry.phase is Phase.READY
        and entry.serves(order)
        and not entry.full  # then nobody waits for it either
        for entry in state.runners_of(order.need.key)
    )
    if not at_once and len(state.waiting) >= state.limits.max_queue:
        return [Fail(order, Busy())]
    state.waiting[order.number] = order
    return []


def _gave_up(state: State, number: int, now: float) -> list[Action]:
    """The order may have been admitted in the very moment its client left."""
    state.waiting.pop(number, None)
    state.running.pop(number, None)
    for entry in state.entries.values():
        _released(state, entry.runner, number, now)
    return []


def _measured(state: State, event: Measured) -> list[Action]:
    """What has loaded by now was seen; what was decided upon meanwhile was not."""
    state.free, state.is_measuring = event.free, False
    state.n_cards = len(event.free.cards)
    for entry in state.entries.values():
        entry.is_seen = entry.phase is not Phase.LOADING
    return []


def _loaded(state: State, event: Loaded, now: float) -> list[Action]:
    entry = state.entry(event.runner)
    if entry is not None and entry.phase is Phase.LOADING:
        entry.phase = Phase.READY if entry.admits_until is None else Phase.DRAINING
        state.free = None
        entry.load_took = now - entry.used_at
        entry.used_at = entry.ready_at = now
        _correct(state, entry, event)
    return []


def _correct(state: State, entry: Entry, event: Loaded) -> None:
    """Count what the runner says it takes, and estimate its model's next load by it. What it will
    only allocate when it is needed is still to come, and as much off.
    """
    at_once = entry.use.total - entry.use.later
    if not event.size or at_once <= 0:
        return
    error = event.size / at_once
    scale = error * state.scales.get(entry.need.key, 1.0)
    state.scales[entry.need.key] = min(2.0, max(0.5, scale))
    later = int(entry.use.later * min(2.0, max(0.5, error)))
    on_cards = sum(entry.use.cards.values()) or 1
    entry.use = Use(
        host=event.size - event.size_vram + later,
        cards={
            index: event.size_vram * part // on_cards for index, part in entry.use.cards.items()
        },
        later=later,
    )


def _load_failed(state: State, runner: RunnerId, error: PunaError, now: float) -> list[Action]:
    """Too little memory is tried again once: with less, and without what is idle."""
    entry = state.entry(runner)
    if entry is None or entry.phase is not Phase.LOADING:
        return []
    state.free = None
    if isinstance(error, OutOfMemory) and not entry.retried and not entry.is_replica:
        entry.retried = True
        entry.awaits = set(_free_memory(state))
        smaller = _smaller(entry.plan)
        if smaller is not None:
            _replan(state, entry, smaller)
        if entry.awaits:
            entry.deadline = FOREVER
            return []
        if smaller is not None:
            entry.deadline = now + state.limits.load_seconds
            return [Load(entry.runner, entry.plan)]
    del state.entries[runner.key]
    return _fail_load(state, entry, error)


def _smaller(plan: LoadPlan) -> LoadPlan | None:
    """A plan that takes less, where the request and the settings leave us that."""
    if plan.n_parallel > 1:
        return replace(plan, n_parallel=1)
    if plan.n_ctx_auto:
        for n_ctx in smaller_contexts(plan.n_ctx):
            return replace(plan, n_ctx=n_ctx)
    if plan.cards:
        fewer = tuple(int(count * _FEWER_LAYERS) for count in plan.card_layers)
        return replace(plan, card_layers=fewer, n_gpu_layers=sum(fewer))
    return None


def _replan(state: State, entry: Entry, plan: LoadPlan) -> None:
    """Load by another plan, which is what the runner's report will be compared with."""
    entry.plan, need = plan, entry.need
    if need.footprint is not None and state.limits.measures:
        scale = state.scales.get(need.key, 1.0)
        entry.use = use_of(need.footprint, plan, extra=need.extra, scale=scale)


def _free_memory(state: State) -> Iterator[RunnerId]:
    """Send every idle runner away; these and those already closing will give memory back."""
    for entry in state.entries.values():
        if entry.idle:
            drain(entry, MEMORY)
        if entry.phase is Phase.CLOSING or entry.idle:
            yield entry.runner


def _fail_load(state: State, entry: Entry, error: PunaError) -> list[Action]:
    """Fail the orders that wait for this very load, and no other order of the model. Where it was
    to be a further runner they wait for those that there are, and it is not tried again.
    """
    others = [each for each in state.runners_of(entry.need.key) if each is not entry]
    for other in others:
        other.is_last = True
    failed: list[Order] = []
    for order in state.waiting_for(entry.need.key) if not others else ():
        if not entry.serves(order):
            break
        failed.append(order)
    for order in failed:
        del state.waiting[order.number]
    return [Fail(order, error) for order in failed]


def _released(state: State, runner: RunnerId, number: int, now: float) -> list[Action]:
    entry = state.entry(runner)
    if entry is not None and number in entry.leases:
        entry.leases.remove(number)
        state.running.pop(number, None)
        entry.used_at = now
    return []


def _expired(state: State, now: float) -> list[Action]:
    state.alarm = None
    late = [order for order in state.waiting.values() if order.gives_up_at <= now]
    actions: list[Action] = []
    for order in late:
        del state.waiting[order.number]
        actions.append(Fail(order, WaitedTooLong(order.need.deadline or 0.0)))
    for entry in state.entries.values():
        if entry.phase is Phase.LOADING and entry.deadline <= now:
            actions += _fail_load(state, entry, StartFailed(TIMED_OUT))
            actions.append(close(entry, TIMED_OUT))
    return actions


def _died(state: State, runner: RunnerId) -> list[Action]:
    entry = state.entry(runner)
    if entry is None or entry.phase not in (Phase.READY, Phase.DRAINING):
        return []
    for number in entry.leases:
        state.running.pop(number, None)
    entry.leases.clear()  # they end in EngineDied by themselves
    return [close(entry, DIED)]


def _unload_asked(state: State, key: str) -> list[Action]:
    actions: list[Action] = []
    for entry in state.runners_of(key):
        if entry.leaving:
            continue
        if entry.phase is Phase.LOADING and not any(map(entry.serves, state.waiting_for(key))):
            actions.append(close(entry, "unload asked for"))
            continue
        if entry.admits_until is None:
            entry.admits_until = state.last_order
        entry.reason = "unload asked for"
        if entry.phase is Phase.READY:
            drain(entry, "unload asked for")
    return actions


def _closed(state: State, runner: RunnerId, now: float) -> list[Action]:
    if state.entry(runner) is None:
        return []
    del state.entries[runner.key]
    state.free = None
    actions: list[Action] = []
    for entry in state.entries.values():
        if runner in entry.awaits:
            entry.awaits.remove(runner)
            if not entry.awaits and entry.phase is Phase.LOADING:
                entry.deadline = now + state.limits.load_seconds
                actions.append(Load(entry.runner, entry.plan))
    return actions


def _shut_down(state: State) -> list[Action]:
    state.shut = True
    actions: list[Action] = [Fail(order, Cancelled()) for order in state.waiting.values()]
    state.waiting.clear()
    for entry in state.entries.values():
        if entry.phase is not Phase.CLOSING:
            actions.append(close(entry, "the server ends"))
    return actions
