"""Model swaps and waiting where agents share more models than memory holds, in simulated time.

    python -m bench.schedule [--requests 500] [--seeds 10]

The scheduler's own rules (scheduler/decide.py) and those of the reference (bench/fifo.py) serve the
same traces (bench/agents.py), event by event: clock, loads and answers are simulated.
"""

from __future__ import annotations

import argparse
import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from bench.agents import LOAD_SECONDS, UNLOAD_SECONDS, WEIGHTS_GB, Session, make_trace
from bench.fifo import Fifo
from puna.discover.hardware import Free
from puna.runner.protocol import LoadPlan, Priority
from puna.scheduler.decide import decide
from puna.scheduler.events import (
    Action,
    Admit,
    Asked,
    Closed,
    Event,
    Expired,
    Fail,
    Load,
    Loaded,
    Measure,
    Measured,
    Released,
    Ring,
    Unload,
)
from puna.scheduler.room import MEMORY, PLACE
from puna.scheduler.state import SECOND_NS, Limits, Need, Order, Phase, State
from tests.fakes.machines import GIB, machine
from tests.scheduler.test_fit import model

MEMORY_BYTES = 24 * GIB
PLACES = 2  # models that it holds, whichever they are
SEQUENCES = 8
KEEP_ALIVE = 300.0
PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")


class Rules(Protocol):
    """What decides: events in, actions out."""

    def feed(self, event: Event, now: float) -> list[Action]:
        """What is to be done about an event, at this second."""


class Puna:
    """The scheduler's own rules."""

    def __init__(self) -> None:
        self._state = State(Limits(KEEP_ALIVE, max_loaded=9, max_queue=9999, measures=True))

    def feed(self, event: Event, now: float) -> list[Action]:
        """See Rules. Measured is filled in: what is being loaded has taken nothing yet."""
        if isinstance(event, Measured):
            entries = self._state.entries.values()
            used = sum(entry.use.total for entry in entries if entry.phase is not Phase.LOADING)
            event = Measured(machine(MEMORY_BYTES, available=MEMORY_BYTES - used))
        return decide(self._state, event, now)


@dataclass
class Outcome:
    """What came of a trace: models that had to go for others, how many seconds each request waited
    for its model, and when the last answer ended.
    """

    swaps: int = 0
    waits: dict[Priority, list[float]] = field(default_factory=lambda: {p: [] for p in PRIORITIES})
    seconds: float = 0.0

    def p99(self, priority: Priority) -> float:
        """Seconds that 99 of 100 of them wait at most."""
        return percentile(self.waits[priority], 0.99)


class Simulation:
    """Plays a trace against rules, in simulated time."""

    def __init__(self, rules: Rules, trace: list[Session]) -> None:
        self._rules = rules
        self.outcome = Outcome()
        self._now = 0.0
        self._events: list[tuple[float, int, Event]] = []
        self._numbers = count()
        self._orders = count(1)
        self._sessions: dict[int, tuple[Session, int]] = {}
        self._alarm = 0.0
        for session in trace:
            self._ask(session, 0)

    def run(self) -> Outcome:
        """Play until nothing is left to come."""
        while self._events:
            self._now, _, event = heapq.heappop(self._events)
            if isinstance(event, Expired) and self._now < self._alarm:
                continue
            if isinstance(event, Released):
                session, done = self._sessions.pop(event.number)
                if done + 1 < len(session.steps):
                    self._ask(session, done + 1)
                self.outcome.seconds = self._now
            for action in self._rules.feed(event, self._now):
                self._carry_out(action)
        if self._sessions:
            raise RuntimeError(f"{len(self._sessions)} requests wait for ever")
        return self.outcome

    def _ask(self, session: Session, index: int) -> None:
        step = session.steps[index]
        number = next(self._orders)
        self._sessions[number] = session, index
        need = Need(
            step.model,
            LoadPlan(model=step.model, n_ctx=4096, n_parallel=1, max_sequences=SEQUENCES),
            step.model,
            footprint=model(WEIGHTS_GB[step.model] * GIB),
            client=session.client,
            priority=session.priority,
        )
        moment = self._now + step.pause
        self._at(moment, Asked(Order(number, need, int(moment * SECOND_NS))))

    def _carry_out(self, action: Action) -> None:
        match action:
            case Admit(order, runner):
                session, index = self._sessions[order.number]
                wait = self._now - order.arrived_ns / SECOND_NS
                self.outcome.waits[order.priority].append(max(0.0, wait))
                self._at(self._now + session.steps[index].seconds, Released(runner, order.number))
            case Load(runner):
                self._at(self._now + LOAD_SECONDS[runner.key], Loaded(runner))
            case Unload(runner, reason):
                self.outcome.swaps += reason in (MEMORY, PLACE)
                self._at(self._now + UNLOAD_SECONDS, Closed(runner))
            case Ring(moment):
                self._alarm = moment
                self._at(moment, Expired())
            case Measure():
                self._at(self._now, Measured(Free(None)))
            case Fail(order, error):
                raise RuntimeError(f"request {order.number}: {error}")

    def _at(self, moment: float, event: Event) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that so large a share of them does not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else 0.0


@dataclass(frozen=True)
class Comparison:
    """One trace under all rules; `alone` are the requests of high priority without the others."""

    alone: Outcome
    puna: Outcome
    plain: Outcome
    passing: Outcome


def compare(seed: int, n_requests: int) -> Comparison:
    """Play the trace of a seed. The same seed gives the same outcome."""
    trace = make_trace(seed, n_requests)
    return Comparison(
        alone=Simulation(Puna(), [each for each in trace if each.priority == "high"]).run(),
        puna=Simulation(Puna(), trace).run(),
        plain=Simulation(Fifo(PLACES, SEQUENCES), trace).run(),
        passing=Simulation(Fifo(PLACES, SEQUENCES, passes=True), trace).run(),
    )


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcomes of several traces as one."""
    waits = {p: [wait for each in outcomes for wait in each.waits[p]] for p in PRIORITIES}
    seconds = sum(each.seconds for each in outcomes)
    return Outcome(sum(each.swaps for each in outcomes), waits, seconds)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    all_seeds = [compare(seed, options.requests) for seed in range(options.seeds)]
    print("seed  swaps puna / plain / passing   ratio   99th of high priority: puna / alone")
    for seed, each in enumerate(all_seeds):
        counts = f"{each.puna.swaps:5} / {each.plain.swaps:5} / {each.passing.swaps:7}"
        ratio = each.puna.swaps / each.plain.swaps
        high = f"{each.puna.p99('high'):.1f} s / {each.alone.p99('high'):.1f} s"
        print(f"{seed:4}  {counts:27} {ratio:7.2f}   {high}")
    sums = {
        name: together([getattr(each, name) for each in all_seeds])
        for name in ("alone", "puna", "plain", "passing")
    }
    print("\nall seeds, waits in seconds: median / 99th of 100 / longest")
    for name, outcome in sums.items():
        print(f"{name:8}{outcome.swaps:5} swaps {outcome.seconds:7.0f} s  ", end="")
        for priority, waits in outcome.waits.items():
            figures = (percentile(waits, 0.5), percentile(waits, 0.99), max(waits, default=0.0))
            print(f"  {priority} " + " / ".join(f"{each:.1f}" for each in figures), end="")
        print()
    puna = sums["puna"]
    print(
        f"\nswaps: {puna.swaps / sums['plain'].swaps:.2f} of plain, "
        f"{puna.swaps / sums['passing'].swaps:.2f} of passing; 99th of high priority: "
        f"{puna.p99('high') / sums['alone'].p99('high'):.2f} times alone"
    )


if __name__ == "__main__":
    main()
