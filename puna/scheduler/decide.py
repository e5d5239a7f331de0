"""The scheduler's rules: a state, an event and the time give actions.

Nothing here waits, asks the clock or touches a runner. Each event is first noted in the state, then
the same four steps settle what follows from it: serve, make room, close, set the alarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from puna.errors import Busy, Cancelled, OutOfMemory, PunaError, StartFailed
from puna.scheduler.events import (
    Action,
    Admit,
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
    Released,
    Ring,
    ShutDown,
    Unload,
    UnloadAsked,
)
from puna.scheduler.plans import mismatch
from puna.scheduler.state import Entry, Order, Phase, RunnerId, State

__all__ = ["decide"]

FOREVER = float("inf")
TIMED_OUT = "timed out waiting for model runner to start"


def decide(state: State, event: Event, now: float) -> list[Action]:
    """Take an event into the state and say what is to be done about it, in order.

    `now` is in seconds of the clock that alarms are set by. The caller reports every end of what
    it was asked to do as an event of its own.
    """
    actions = _note(state, event, now)
    if state.shut:
        return actions
    actions += _serve(state, now)
    _make_room(state)
    actions += _close_idle(state, now)
    actions += _set_alarm(state)
    return actions


def _note(state: State, event: Event, now: float) -> list[Action]:
    match event:
        case Asked(order):
            return _asked(state, order)
        case GaveUp(number):
            return _gave_up(state, number, now)
        case Loaded(runner):
            return _loaded(state, runner, now)
        case LoadFailed(runner, error):
            return _load_failed(state, runner, error)
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
    entry = state.entries.get(order.need.key)
    at_once = (
        entry is not None
        and entry.phase is Phase.READY
        and entry.serves(order)
        and not entry.full  # then nobody waits for it either
    )
    if not at_once and len(state.waiting) >= state.limits.max_queue:
        return [Fail(order, Busy())]
    state.waiting[order.number] = order
    return []


def _gave_up(state: State, number: int, now: float) -> list[Action]:
    """The order may have been admitted in the very moment its client left."""
    state.waiting.pop(number, None)
    for entry in state.entries.values():
        _released(state, entry.runner, number, now)
    return []


def _loaded(state: State, runner: RunnerId, now: float) -> list[Action]:
    entry = state.entry(runner)
    if entry is not None and entry.phase is Phase.LOADING:
        entry.phase = Phase.READY if entry.admits_until is None else Phase.DRAINING
        entry.used_at = now
    return []


def _load_failed(state: State, runner: RunnerId, error: PunaError) -> list[Action]:
    entry = state.entry(runner)
    if entry is None or entry.phase is not Phase.LOADING:
        return []
    if isinstance(error, OutOfMemory) and not entry.retried:
        entry.retried = True
        entry.awaits = set(_free_memory(state))
        if entry.awaits:
            entry.deadline = FOREVER
            return []
    del state.entries[runner.key]
    return _fail_load(state, entry, error)


def _free_memory(state: State) -> Iterator[RunnerId]:
    """Send every idle runner away; these and those already closing will give memory back."""
    for entry in state.entries.values():
        if entry.idle:
            _drain(entry, "another model needs the memory")
        if entry.phase is Phase.CLOSING or entry.idle:
            yield entry.runner


def _fail_load(state: State, entry: Entry, error: PunaError) -> list[Action]:
    """Fail the orders that wait for this very load, and no other order of the model."""
    failed: list[Order] = []
    for order in state.waiting_for(entry.runner.key):
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
        entry.used_at = now
    return []


def _expired(state: State, now: float) -> list[Action]:
    state.alarm = None
    actions: list[Action] = []
    for entry in state.entries.values():
        if entry.phase is Phase.LOADING and entry.deadline <= now:
            actions += _fail_load(state, entry, StartFailed(TIMED_OUT))
            actions.append(_close(entry, TIMED_OUT))
    return actions


def _died(state: State, runner: RunnerId) -> list[Action]:
    entry = state.entry(runner)
    if entry is None or entry.phase not in (Phase.READY, Phase.DRAINING):
        return []
    entry.leases.clear()  # they end in EngineDied by themselves
    return [_close(entry, "it died")]


def _unload_asked(state: State, key: str) -> list[Action]:
    entry = state.entries.get(key)
    if entry is None or entry.leaving:
        return []
    if entry.phase is Phase.LOADING and not any(map(entry.serves, state.waiting_for(key))):
        return [_close(entry, "unload asked for")]
    if entry.admits_until is None:
        entry.admits_until = state.last_order
    entry.reason = "unload asked for"
    if entry.phase is Phase.READY:
        _drain(entry, "unload asked for")
    return []


def _closed(state: State, runner: RunnerId, now: float) -> list[Action]:
    if state.entry(runner) is None:
        return []
    del state.entries[runner.key]
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
            actions.append(_close(entry, "the server ends"))
    return actions


# What follows from every event


def _serve(state: State, now: float) -> list[Action]:
    """Admit and load, oldest order first. Orders of one model keep their order; models do not wait
    for one another.
    """
    actions: list[Action] = []
    passed_over: set[str] = set()
    for order in list(state.waiting.values()):
        key = order.need.key
        if key in passed_over:
            continue
        entry = state.entries.get(key)
        if entry is not None and entry.phase is not Phase.LOADING and entry.serves(order):
            if not entry.full:
                actions.append(_admit(state, entry, order, now))
                continue
        elif entry is None and len(state.entries) < max(1, state.limits.max_loaded):
            actions.append(_load(state, order, now))
        elif entry is not None and entry.phase is Phase.READY:
            _drain(entry, f"{mismatch(entry.plan, order.need.plan)} changed")
        passed_over.add(key)
    return actions


def _admit(state: State, entry: Entry, order: Order, now: float) -> Action:
    del state.waiting[order.number]
    entry.leases.add(order.number)
    entry.used_at = now
    if order.need.keep_alive is not None:
        entry.keep_alive = order.need.keep_alive
    return Admit(order, entry.runner)


def _load(state: State, order: Order, now: float) -> Action:
    need, limits = order.need, state.limits
    state.last_serial += 1
    runner = RunnerId(need.key, state.last_serial)
    keep_alive = limits.keep_alive if need.keep_alive is None else need.keep_alive
    state.entries[need.key] = Entry(runner, need, keep_alive, now, now + limits.load_seconds)
    return Load(runner, need.plan)


def _make_room(state: State) -> None:
    """Ask as many runners to go as there are models without a place, idle ones first.

    A runner that is leaving counts as a place unless its own model wants it back. A busy one that
    is leaving may take long, so that idle ones are asked in spite of it; busy ones are not.
    """
    wanted = {order.need.key for order in state.waiting.values()}
    shortage = len(wanted - state.entries.keys())
    if not shortage:
        return
    spare = [e for e in state.entries.values() if e.leaving and e.runner.key not in wanted]
    ready = sorted((e for e in state.entries.values() if e.phase is Phase.READY), key=_worth)
    idle = [entry for entry in ready if entry.idle]
    busy = [entry for entry in ready if not entry.idle]
    soon = sum(not entry.leases for entry in spare)
    going = idle[: max(0, shortage - soon)]
    going += busy[: max(0, shortage - len(spare) - len(going))]
    for entry in going:
        _drain(entry, "another model needs the place")


def _worth(entry: Entry) -> tuple[bool, float, str]:
    """The least goes first: least recently used, those to be kept forever after all others."""
    return entry.keep_alive == FOREVER, entry.used_at, entry.runner.key


def _close_idle(state: State, now: float) -> list[Action]:
    actions: list[Action] = []
    for entry in state.entries.values():
        if entry.phase is Phase.READY and entry.idle and entry.expires_at <= now:
            _drain(entry, "its keep-alive ended")
        if entry.phase is Phase.DRAINING and entry.idle:
            actions.append(_close(entry, entry.reason))
    return actions


def _set_alarm(state: State) -> list[Action]:
    """Ring for the next end of a keep-alive or of a load's time.

    An alarm that rings too early is left: it does no harm, and most requests only move the end on.
    """
    moments = [
        entry.deadline if entry.phase is Phase.LOADING else entry.expires_at
        for entry in state.entries.values()
        if entry.phase is Phase.LOADING or (entry.phase is Phase.READY and entry.idle)
    ]
    first = min(moments, default=FOREVER)
    if first == FOREVER or (state.alarm is not None and state.alarm <= first):
        return []
    state.alarm = first
    return [Ring(first)]


def _drain(entry: Entry, reason: str) -> None:
    entry.phase = Phase.DRAINING
    entry.reason = reason


def _close(entry: Entry, reason: str) -> Action:
    entry.phase = Phase.CLOSING
    return Unload(entry.runner, reason)
