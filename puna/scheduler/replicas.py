"""Several runners of one model: when a further one is loaded, and which one serves whom. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from puna.discover.hardware import Free
from puna.scheduler.events import Action, Load, Measure
from puna.scheduler.fit import Fitted, fit
from puna.scheduler.state import Entry, Need, Order, Phase, RunnerId, State

__all__ = ["choose", "load", "measure", "note_client", "replicate"]

LONG_QUEUE = 4
"""Requests that must wait for a model whose runners are all full, before it gets a further one."""
_WORTH = 4  # requests that a runner may have more than another, where it knows the client's prompts
_MOST_CLIENTS = 1024


def choose(serving: Sequence[Entry], order: Order) -> Entry | None:
    """Which runner serves an order at once; None when none can.

    The one that served the client before, since it holds what its prompts begin with, unless
    another has much less to do; else the one with least to do, of equals the oldest.
    """
    able = [entry for entry in serving if entry.phase is not Phase.LOADING and not entry.full]
    least = min(able, key=lambda entry: len(entry.leases), default=None)
    most = _WORTH + (len(least.leases) if least else 0)
    known = (entry for entry in able if order.client in entry.clients)
    return next((entry for entry in known if len(entry.leases) <= most), least)


def note_client(state: State, entry: Entry, client: str) -> None:
    """Remember who was served where, once that makes a difference."""
    if state.limits.max_replicas > 1:
        if len(entry.clients) >= _MOST_CLIENTS:
            entry.clients.clear()
        entry.clients.add(client)


def replicate(state: State, full: Entry, now: float) -> list[Action]:
    """Load a further runner of a model where many wait for those it has, and a card that nobody
    uses holds it whole. Nobody is sent away for it.
    """
    need = full.need
    runners = state.runners_of(need.key)
    if (
        not state.limits.measures
        or need.footprint is None
        or len(runners) >= state.limits.max_replicas
        or len(state.entries) >= state.max_loaded
        or any(entry.phase is not Phase.READY or entry.is_last for entry in runners)
        or sum(map(full.serves, state.waiting_for(need.key))) < LONG_QUEUE
    ):
        return []
    if state.free is None:
        return measure(state)
    used = {index for entry in state.entries.values() for index in entry.use.cards}
    idle = [card for card in state.free.cards if card.index not in used and not card.is_integrated]
    if not idle:
        return []
    wanted = replace(
        full.plan,
        n_ctx_auto=False,
        n_gpu_layers=need.plan.n_gpu_layers,
        main_gpu=None,
        cards=(),
        card_layers=(),
    )
    found = fit(
        need.footprint,
        wanted,
        Free(state.free.host, tuple(idle)),
        state.loads(),
        state.limits.rules,
        extra=need.extra,
        scale=state.scales.get(need.key, 1.0),
    )
    if found is None or found.n_layers <= len(need.footprint.layers):
        return []
    number = next(
        n for n in range(2, 2 + len(state.entries)) if _slot(need, n) not in state.entries
    )
    alike = replace(found.plan, n_ctx_auto=full.plan.n_ctx_auto)  # whom one serves, the other does
    return [load(state, _slot(need, number), need, Fitted(alike, found.use, found.n_layers), now)]


def _slot(need: Need, number: int) -> str:
    return f"{need.key} #{number}"


def measure(state: State) -> list[Action]:
    """Ask how much memory there is, unless that is being found out."""
    if state.is_measuring:
        return []
    state.is_measuring = True
    return [Measure()]


def load(state: State, slot: str, need: Need, fitted: Fitted, now: float) -> Action:
    """Start a runner, whose key is `slot`."""
    limits = state.limits
    state.last_serial += 1
    runner = RunnerId(slot, state.last_serial)
    keep_alive = limits.keep_alive if need.keep_alive is None else need.keep_alive
    state.entries[slot] = Entry(
        runner, need, fitted.plan, keep_alive, now, now + limits.load_seconds, fitted.use
    )
    return Load(runner, fitted.plan)
