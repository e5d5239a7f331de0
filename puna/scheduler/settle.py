"""What follows from every event: who is admitted, what is loaded and closed, when to look again.
Pure.
"""

from __future__ import annotations

from msgspec.structs import replace

from puna.errors import OutOfMemory
from puna.scheduler.events import Action, Admit, Fail, Ring, Unload
from puna.scheduler.fit import Fitted, Use, given_back, refusal
from puna.scheduler.hold import ends
from puna.scheduler.plans import mismatch
from puna.scheduler.replicas import choose, load, measure, note_client, replicate
from puna.scheduler.room import FOREVER, drain, fit_alone, fit_without
from puna.scheduler.state import SECOND_NS, Entry, Order, Phase, State

__all__ = ["FOREVER", "close", "close_idle", "serve", "set_alarm"]


def serve(state: State, now: float) -> list[Action]:
    """Admit and load, in the order of importance and turn. Orders of one model keep that order;
    models do not wait for one another.
    """
    actions: list[Action] = []
    passed_over: set[str] = set()
    state.cramped = None
    now_ns = int(now * SECOND_NS)
    turns = state.turns.order(list(state.waiting.values()), state.running.values(), now_ns)
    for order in list(turns):
        key = order.need.key
        if key in passed_over:
            continue
        runners = state.runners_of(key)
        serving = [entry for entry in runners if entry.serves(order)]
        chosen = choose(serving, order)
        if chosen is not None:
            actions.append(_admit(state, chosen, order, now))
            continue
        if serving:
            actions += replicate(state, serving[0], now)
        elif not runners and len(state.entries) < state.max_loaded:
            actions += _try_load(state, order, now)
        for entry in runners if not serving else ():
            if entry.phase is Phase.READY:
                drain(entry, f"{mismatch(entry.plan, order.need.plan)} changed")
        passed_over.add(key)
    return actions


def _admit(state: State, entry: Entry, order: Order, now: float) -> Action:
    del state.waiting[order.number]
    state.running[order.number] = order
    state.turns.serve(order.client, int(now * SECOND_NS))
    entry.leases.add(order.number)
    entry.served += 1
    entry.used_at = now
    note_client(state, entry, order.client)
    if order.need.keep_alive is not None:
        entry.keep_alive = order.need.keep_alive
    return Admit(order, entry.runner)


def _try_load(state: State, order: Order, now: float) -> list[Action]:
    """Load if there is memory, once that was measured; refuse what would not fit even alone.

    What would have more layers on cards, or a longer context, without the models beside it waits
    for their memory.
    """
    need = order.need
    if not state.limits.measures or need.footprint is None:
        plan = replace(need.plan, n_parallel=max(1, need.plan.n_parallel))
        return [load(state, need.key, need, Fitted(plan, Use()), now)]
    if state.free is None:
        return measure(state)
    found, alone = fit_without(state, need), fit_alone(state, need)
    if found is not None and (alone is None or found.is_as_good_as(alone)):
        return [load(state, need.key, need, found, now)]
    if alone is None or not state.entries:
        empty = given_back(state.free, [e.use for e in state.entries.values() if e.is_seen])
        del state.waiting[order.number]
        scale, rules = state.scales.get(need.key, 1.0), state.limits.rules
        message = refusal(need.footprint, need.plan, empty, rules, extra=need.extra, scale=scale)
        return [Fail(order, OutOfMemory(message))]
    if state.cramped is None:
        state.cramped = order.number
    return []


def close_idle(state: State, now: float) -> list[Action]:
    """Close what has lived out its time, or was asked to go and is idle."""
    actions: list[Action] = []
    for entry in state.entries.values():
        if entry.phase is Phase.READY and entry.idle and state.expires_at(entry) <= now:
            drain(entry, "its keep-alive ended")
        if entry.phase is Phase.DRAINING and entry.idle:
            actions.append(close(entry, entry.reason))
    return actions


def set_alarm(state: State, now: float) -> list[Action]:
    """Ring for the next end of a keep-alive, of a hold, of a load's time or of somebody's patience.

    An alarm that rings too early is left: it does no harm, and most requests only move the end on.
    """
    moments = [
        entry.deadline if entry.phase is Phase.LOADING else state.expires_at(entry)
        for entry in state.entries.values()
        if entry.phase is Phase.LOADING or (entry.phase is Phase.READY and entry.idle)
    ]
    moments += [order.gives_up_at for order in state.waiting.values()]
    moments += ends(state, now)
    first = min(moments, default=FOREVER)
    if first == FOREVER or (state.alarm is not None and state.alarm <= first):
        return []
    state.alarm = first
    return [Ring(first)]


def close(entry: Entry, reason: str) -> Action:
    """End a runner."""
    entry.phase = Phase.CLOSING
    return Unload(entry.runner, reason)
