"""A scheduler's state with its clock, whose actions read as short words."""

from __future__ import annotations

from puna.discover.hardware import Free
from puna.errors import PunaError
from puna.gguf.footprint import Footprint
from puna.runner.protocol import LoadPlan, Priority
from puna.scheduler.decide import decide
from puna.scheduler.events import (
    Action,
    Admit,
    Asked,
    Closed,
    Event,
    Fail,
    Load,
    Loaded,
    LoadFailed,
    Measure,
    Released,
    Ring,
    Unload,
)
from puna.scheduler.state import Entry, Limits, Need, Order, RunnerId, State


class World:
    """A state with its clock; it numbers the orders and writes actions as short words."""

    def __init__(
        self,
        *,
        max_loaded: int = 3,
        max_queue: int = 512,
        load: float = 60,
        measures: bool = False,
        max_replicas: int = 1,
    ) -> None:
        limits = Limits(300.0, max_loaded, max_queue, load, measures, max_replicas=max_replicas)
        self.state = State(limits)
        self.now = 0.0
        self.free = Free(None)
        self.last_error: PunaError | None = None

    def ask(
        self,
        key: str,
        n_ctx: int = 4096,
        keep_alive: float | None = None,
        adapters: tuple[str, ...] = (),
        max_sequences: int = 32,
        n_parallel: int = 0,
        n_gpu_layers: int = -1,
        n_ctx_auto: bool = False,
        footprint: Footprint | None = None,
        client: str = "",
        priority: Priority = "normal",
        deadline: float | None = None,
    ) -> str:
        plan = LoadPlan(
            model=key,
            n_ctx=n_ctx,
            adapters=adapters,
            max_sequences=max_sequences,
            n_parallel=n_parallel,
            n_gpu_layers=n_gpu_layers,
            n_ctx_auto=n_ctx_auto,
        )
        need = Need(
            key=key,
            plan=plan,
            name=key,
            keep_alive=keep_alive,
            footprint=footprint,
            client=client,
            priority=priority,
            deadline=deadline,
        )
        arrived = int(self.now * 1e9)
        return self.feed(Asked(Order(self.state.last_order + 1, need, arrived)))

    def entry(self, key: str) -> Entry:
        return self.state.entries[key]

    def runner(self, key: str) -> RunnerId:
        return self.entry(key).runner

    def loaded(self, key: str) -> str:
        return self.feed(Loaded(self.runner(key)))

    def failed(self, key: str, error: PunaError) -> str:
        return self.feed(LoadFailed(self.runner(key), error))

    def released(self, key: str, number: int) -> str:
        return self.feed(Released(self.runner(key), number))

    def closed(self, key: str) -> str:
        return self.feed(Closed(self.runner(key)))

    def use(self, key: str, keep_alive: float | None = None) -> None:
        """Ask, load and give back, a second later than what was before."""
        self.now += 1
        self.ask(key, keep_alive=keep_alive)
        self.loaded(key)
        self.released(key, self.state.last_order)

    def feed(self, event: Event) -> str:
        actions = decide(self.state, event, self.now)
        for action in actions:
            if isinstance(action, Fail):
                self.last_error = action.error
        return " ".join(filter(None, map(short, actions)))


def short(action: Action) -> str:
    match action:
        case Admit(order, runner):
            return f"admit {order.number} {runner.key}{runner.serial}"
        case Fail(order, error):
            return f"fail {order.number} {type(error).__name__}"
        case Load(runner):
            return f"load {runner.key}{runner.serial}"
        case Unload(runner):
            return f"unload {runner.key}{runner.serial}"
        case Measure():
            return "measure"
        case Ring():
            return ""
