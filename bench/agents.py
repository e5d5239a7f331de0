"""A trace of agents, people and batches that share four models, where memory holds two of them.

Everybody works step by step: asks a model, reads the answer, pauses, asks again. So a scheduler
that serves one step late moves all that follow. The times are those of models of 7 to 10 GB that
are read with 1 GB/s, and of answers of some hundred tokens.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from puna.runner.protocol import Priority

__all__ = ["LOAD_SECONDS", "UNLOAD_SECONDS", "WEIGHTS_GB", "Session", "Step", "make_trace"]

WEIGHTS_GB = {"planner": 10, "coder": 9, "reviewer": 8, "reader": 7}
LOAD_SECONDS = {name: float(size) for name, size in WEIGHTS_GB.items()}
UNLOAD_SECONDS = 0.5
_ANSWER_SECONDS = (1.0, 6.0)


@dataclass(frozen=True, slots=True)
class Step:
    """Ask a model `pause` seconds after the answer before; its answer takes `seconds`."""

    pause: float
    model: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Session:
    """What one client does, one step after the other."""

    client: str
    priority: Priority
    steps: tuple[Step, ...]


def make_trace(seed: int, n_requests: int = 500) -> list[Session]:
    """Sessions with so many steps together.

    Of twenty requests two are of high priority (people), thirteen of normal (agents), five of low
    (batches).
    """
    chance = random.Random(seed)
    n_high, n_low = n_requests // 10, n_requests // 4
    n_normal = n_requests - n_high - n_low
    return [
        *_sessions(chance, "person", "high", 3, n_high),
        *_sessions(chance, "agent", "normal", 6, n_normal),
        *_sessions(chance, "batch", "low", 4, n_low),
    ]


def _sessions(
    chance: random.Random, kind: str, priority: Priority, count: int, n_steps: int
) -> list[Session]:
    parts = [n_steps // count + (n < n_steps % count) for n in range(count)]
    work = {"person": _talk, "agent": _task, "batch": _batch}[kind]
    sessions = []
    for number, part in enumerate(parts):
        steps: list[Step] = []
        while len(steps) < part:
            steps += work(chance)
        sessions.append(Session(f"{kind} {number}", priority, tuple(steps[:part])))
    return sessions


def _talk(chance: random.Random) -> list[Step]:
    """A person asks one model a few times, and thinks before each question."""
    model = chance.choices(list(WEIGHTS_GB), [4, 3, 2, 1])[0]
    return [_step(chance, model, 10, 60) for _ in range(chance.randint(2, 6))]


def _task(chance: random.Random) -> list[Step]:
    """An agent plans, calls tools between steps of the coder, and has the result reviewed."""
    coding = [_step(chance, "coder", 0.5, 5) for _ in range(chance.randint(3, 7))]
    reading = [_step(chance, "reader", 0.5, 2) for _ in range(chance.randint(0, 2))]
    return [
        _step(chance, "planner", 2, 20),
        *reading,
        *coding,
        _step(chance, "reviewer", 0.5, 2),
    ]


def _batch(chance: random.Random) -> list[Step]:
    """A batch reads documents, one after the other, and comes back later with more."""
    return [
        _step(chance, "reader", 20, 60),
        *(_step(chance, "reader", 0, 0.2) for _ in range(chance.randint(5, 12))),
    ]


def _step(chance: random.Random, model: str, least: float, most: float) -> Step:
    return Step(chance.uniform(least, most), model, chance.uniform(*_ANSWER_SECONDS))
