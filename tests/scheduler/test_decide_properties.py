"""What holds for the scheduler whatever happens, in whatever order.

A machine plays the world: it asks, leaves, loads, fails, dies, unloads and lets time pass,
keeps its own books of runners and orders, and at the end lets everything finish.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from puna.errors import OutOfMemory, StartFailed
from puna.runner.protocol import LoadPlan
from puna.scheduler.decide import decide
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
    Measure,
    Measured,
    Released,
    Ring,
    Unload,
    UnloadAsked,
)
from puna.scheduler.plans import compatible
from puna.scheduler.state import Limits, Need, Order, RunnerId, State
from tests.fakes.machines import GIB, a_card, machine
from tests.scheduler.test_fit import model

KEYS = ["a", "b", "c", "d"]
KEEP_ALIVES = [None, 0.0, 5.0, float("inf")]
LOAD_SECONDS = 100.0
FOOTPRINT = model(4 * GIB)
MACHINE = machine(64 * GIB, *(a_card(index, 24 * GIB) for index in range(3)))
T = TypeVar("T")
picks = st.integers(min_value=0, max_value=1000)


class World(RuleBasedStateMachine):
    """The books: which runner runs how, who waits, who holds what."""

    @initialize(
        max_loaded=st.integers(1, 3), max_queue=st.integers(1, 9), max_replicas=st.integers(1, 3)
    )
    def begin(self, max_loaded: int, max_queue: int, max_replicas: int) -> None:
        self.limits = Limits(
            10.0,
            max_loaded,
            max_queue,
            LOAD_SECONDS,
            measures=max_replicas > 1,  # which is what further runners need
            max_replicas=max_replicas,
        )
        self.state = State(self.limits)
        self.now = 0.0
        self.orders = 0
        self.waiting: dict[int, Order] = {}
        self.loading: dict[RunnerId, LoadPlan] = {}
        self.ready: dict[RunnerId, LoadPlan] = {}
        self.closing: list[RunnerId] = []
        self.leases: dict[int, RunnerId] = {}
        self.dead: set[RunnerId] = set()
        self.alarm: float | None = None
        self.is_measuring = False

    # What the world does

    @rule(
        key=st.sampled_from(KEYS),
        n_ctx=st.sampled_from([1, 2]),
        keep_alive=st.sampled_from(KEEP_ALIVES),
        sequences=st.sampled_from([1, 2, 32]),
    )
    def ask(self, key: str, n_ctx: int, keep_alive: float | None, sequences: int) -> None:
        self.orders += 1
        plan = LoadPlan(model=key, n_ctx=n_ctx, max_sequences=sequences)
        need = Need(key, plan, key, keep_alive=keep_alive, footprint=FOOTPRINT, client=key)
        order = Order(self.orders, need)
        self.waiting[order.number] = order
        self.feed(Asked(order))

    @rule(key=st.sampled_from(KEYS))
    def crowd(self, key: str) -> None:
        for _ in range(6):
            self.ask(key, 1, None, 1)

    @precondition(lambda self: self.is_measuring)
    @rule()
    def measure(self) -> None:
        self.is_measuring = False
        self.feed(Measured(MACHINE))

    @precondition(lambda self: self.waiting)
    @rule(pick=picks)
    def give_up(self, pick: int) -> None:
        number = nth(list(self.waiting), pick)
        del self.waiting[number]
        self.feed(GaveUp(number))

    @precondition(lambda self: self.loading)
    @rule(pick=picks)
    def load(self, pick: int) -> None:
        runner = nth(list(self.loading), pick)
        self.ready[runner] = self.loading.pop(runner)
        self.feed(Loaded(runner))

    @precondition(lambda self: self.loading)
    @rule(pick=picks, memory=st.booleans())
    def fail(self, pick: int, memory: bool) -> None:
        runner = nth(list(self.loading), pick)
        del self.loading[runner]
        self.feed(LoadFailed(runner, OutOfMemory("x") if memory else StartFailed("x")))

    @precondition(lambda self: self.leases)
    @rule(pick=picks)
    def release(self, pick: int) -> None:
        number = nth(list(self.leases), pick)
        self.feed(Released(self.leases.pop(number), number))

    @precondition(lambda self: self.ready)
    @rule(pick=picks)
    def die(self, pick: int) -> None:
        runner = nth(list(self.ready), pick)
        self.dead.add(runner)
        self.feed(Died(runner))

    @rule(key=st.sampled_from(KEYS))
    def unload(self, key: str) -> None:
        self.feed(UnloadAsked(key))

    @precondition(lambda self: self.closing)
    @rule(pick=picks)
    def close(self, pick: int) -> None:
        runner = self.closing.pop(pick % len(self.closing))
        self.loading.pop(runner, None)
        self.ready.pop(runner, None)
        self.feed(Closed(runner))

    @rule(seconds=st.floats(0, 60))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        if self.alarm is not None and self.alarm <= self.now:
            self.alarm = None
            self.feed(Expired())

    # What must come of it

    def feed(self, event: Event) -> None:
        for action in decide(self.state, event, self.now):
            self.obey(action)

    def obey(self, action: Action) -> None:
        match action:
            case Admit(order, runner):
                assert self.waiting.pop(order.number) is order, "answered once"
                assert runner in self.ready
                assert runner not in self.closing
                assert runner not in self.dead
                assert compatible(self.ready[runner], order.need.plan)
                self.leases[order.number] = runner
                held = list(self.leases.values()).count(runner)
                assert held <= self.ready[runner].max_sequences
            case Fail(order, _):
                assert self.waiting.pop(order.number) is order, "answered once"
            case Load(runner, plan):
                running = self.loading.keys() | self.ready.keys()
                assert runner.key not in {other.key for other in running}
                self.loading[runner] = plan
            case Unload(runner, reason):
                assert runner not in self.closing, "closed once"
                assert runner in self.dead or runner not in self.leases.values()
                assert reason
                self.closing.append(runner)
            case Measure():
                assert not self.is_measuring, "asked for once"
                self.is_measuring = True
            case Ring(moment):
                assert moment < float("inf")
                self.alarm = moment

    @invariant()
    def the_cap_holds(self) -> None:
        assert len(self.loading) + len(self.ready) <= self.limits.max_loaded
        assert len(self.state.entries) <= self.limits.max_loaded

    @invariant()
    def a_model_has_no_more_runners_than_it_may(self) -> None:
        for key in KEYS:
            assert len(self.state.runners_of(key)) <= self.limits.max_replicas
            cards = [e.plan.cards for e in self.state.runners_of(key)]
            assert len(set(cards)) == len(cards), "each has a card of its own"

    @invariant()
    def the_queue_is_bounded(self) -> None:
        assert self.state.waiting == self.waiting
        assert len(self.waiting) <= self.limits.max_queue

    @invariant()
    def nobody_waits_beside_a_runner_that_would_serve(self) -> None:
        for order in self.waiting.values():
            first = next(self.state.waiting_for(order.need.key))
            for entry in self.state.runners_of(order.need.key) if order is first else ():
                assert entry.full or entry.runner not in self.ready or not entry.serves(order)

    @invariant()
    def every_idle_runner_has_an_end(self) -> None:
        for entry in self.state.entries.values():
            if entry.idle:
                assert entry.expires_at > self.now or self.alarm is not None
                if entry.expires_at < float("inf"):
                    assert self.alarm is not None
                    assert self.alarm <= entry.expires_at

    def teardown(self) -> None:
        """Let all that runs finish: everybody is answered, and what may expire has gone."""
        if not hasattr(self, "state"):
            return
        for _ in range(20 * (self.orders + 10)):
            if self.loading.keys() - set(self.closing):
                runner = min(self.loading.keys() - set(self.closing), key=lambda r: r.serial)
                self.ready[runner] = self.loading.pop(runner)
                self.feed(Loaded(runner))
            elif self.is_measuring:
                self.measure()
            elif self.leases:
                self.release(0)
            elif self.closing:
                self.close(0)
            elif self.alarm is not None:
                self.now, self.alarm = max(self.now, self.alarm), None
                self.feed(Expired())
            else:
                break
        assert not self.waiting
        assert not self.state.waiting
        assert all(e.keep_alive == float("inf") for e in self.state.entries.values())


def nth(items: Sequence[T], pick: int) -> T:
    return items[pick % len(items)]


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
