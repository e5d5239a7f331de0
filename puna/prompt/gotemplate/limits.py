"""What one execution of a template may cost. A meter belongs to one execution."""

from __future__ import annotations

from dataclasses import dataclass
from time import thread_time

from puna.prompt.gotemplate.errors import CallError

__all__ = ["LIMITS", "Limits", "Meter"]

CLOCK_STEPS = 2048  # steps between two looks at the clock


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one execution. A step is about a microsecond, or 32 characters made."""

    seconds: float = 2.0  # of this thread's processor time: waiting for other threads is free
    steps: int = 4_000_000
    output_chars: int = 16 << 20
    value_chars: int = 16 << 20
    depth: int = 60  # of templates that call templates


LIMITS = Limits()


class Meter:
    """Collects the output and counts. Its methods raise CallError past a limit."""

    __slots__ = ("_ends", "_limits", "_look_at", "_parts", "_room", "depth", "steps")

    def __init__(self, limits: Limits) -> None:
        self.steps = limits.steps
        """How many are left."""
        self.depth = limits.depth
        """How many templates may still be called inside the one under way."""
        self._limits = limits
        self._look_at = limits.steps - CLOCK_STEPS
        self._ends = thread_time() + limits.seconds
        self._room = limits.output_chars
        self._parts: list[str] = []

    def spend(self, steps: int) -> None:
        """Count steps that are about to be taken."""
        self.steps -= steps
        if self.steps < self._look_at:
            self._look()

    def _look(self) -> None:
        if self.steps < 0:
            raise CallError(f"the template takes more than {self._limits.steps} steps")
        if thread_time() > self._ends:
            raise CallError(f"the template takes more than {self._limits.seconds:g} seconds")
        self._look_at = self.steps - CLOCK_STEPS

    def fits(self, size: int) -> None:
        """Refuse a text of that many characters: asked before it is made."""
        if size > self._limits.value_chars:
            raise CallError(f"a value of more than {self._limits.value_chars} characters")

    def made(self, size: int) -> None:
        """Count a text or a list that a function made."""
        self.fits(size)
        self.spend(1 + (size >> 5))

    def print(self, text: str) -> None:
        """Append to the output."""
        self._room -= len(text)
        if self._room < 0:
            most = self._limits.output_chars
            raise CallError(f"the output has more than {most} characters")
        self._parts.append(text)

    def output(self) -> str:
        """All that was printed."""
        return "".join(self._parts)
