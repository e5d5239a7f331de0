"""What a trace is told of a request for a model, by whoever serves it; nothing here knows who
listens, or whether anybody does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

__all__ = ["LISTENER", "Listener", "Phase", "Story", "Value"]

Value = str | bool | int | float | Sequence[str]


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the work, from one moment to another in seconds of the story's clock."""

    name: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One request for a model, when it is over. `facts` are attributes by their names in
    OpenTelemetry's conventions for generative AI; `error` is a kind of error, or empty.
    """

    model: str
    operation: str
    began: float
    ended: float
    phases: Sequence[Phase] = ()
    facts: Mapping[str, Value] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to hear of the request at hand. With `wants_text` what users and models write is
    among the facts.
    """

    tell: Callable[[Story], None]
    wants_text: bool = False


LISTENER: ContextVar[Listener | None] = ContextVar("LISTENER", default=None)
"""The listener of the request at hand."""
