"""How long a loaded model is kept from others that are not loaded, so that models do not take each
other's place with every request. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from puna.scheduler.state import Entry, Phase, State

__all__ = ["ends", "homeless", "urgent", "yielding"]

_RELOADS = 6  # times of its load: a seventh of the time goes into loading, at most
_MOST = 60.0  # seconds
_PAUSE = 0.5  # of its load: how long a model that is used again and again may be idle meanwhile


def homeless(state: State) -> set[str]:
    """Models that are waited for and have no runner."""
    loaded = {entry.need.key for entry in state.entries.values()}
    return {order.need.key for order in state.waiting.values()} - loaded


def urgent(state: State) -> set[str]:
    """Those of them that an order of high priority waits for: no hold counts for these."""
    wanted = {o.need.key for o in state.waiting.values() if o.priority == "high"}
    return wanted & homeless(state)


def yielding(state: State, ready: Sequence[Entry], now: float) -> list[Entry]:
    """Those of the ready runners that may be asked to go for an order that is not urgent.

    While one is loaded or closed, the last is not asked: somebody is served, and an urgent order
    finds a runner that can go at once.
    """
    moving = any(e.phase in (Phase.LOADING, Phase.CLOSING) for e in state.entries.values())
    able = ready[:-1] if moving else ready
    return [entry for entry in able if _held_until(state, entry) <= now]


def ends(state: State, now: float) -> Iterator[float]:
    """When further runners may be asked, where somebody waits for that."""
    for entry in state.entries.values() if homeless(state) else ():
        if entry.phase is Phase.READY and (end := _held_until(state, entry)) > now:
            yield end


def _held_until(state: State, entry: Entry) -> float:
    """A runner that is in use is kept for a few times of what its load took; one that was used
    more than once, while it pauses.
    """
    end = entry.ready_at + min(_MOST, _RELOADS * entry.load_took)
    if entry.leases or any(map(entry.serves, state.waiting_for(entry.need.key))):
        return end
    return min(end, entry.used_at + _PAUSE * entry.load_took) if entry.served > 1 else 0.0
