"""Whether a runner that was asked for something is still at it, by its signs of life."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

from puna.config import FOREVER

__all__ = ["Effort", "Pulse", "read_effort"]

_LONGER = 10.0
"""A step may take this many times the longest that there was, whatever the limit says."""
_AT_WORK = 12.0
"""A step may take this many times the limit where the process computes or reads: nothing tells a
long prompt of a large model on a slow machine from a loop that never ends, but time."""
_BUSY = 0.02  # of the time that passed: who takes less waits for something
_TICK_SECONDS = 5.0
_LOOKS = 4  # within the limit, at least


@dataclass(frozen=True, slots=True)
class Effort:
    """What a process has done so far: seconds of processors, and pages that it had to read."""

    seconds: float
    pages: int = 0


class Pulse:
    """Counts the silence of one runner. Time comes in pieces, as it was watched: what passed while
    nobody could look, this process standing still itself, says nothing about a runner.
    """

    def __init__(self, limit: float) -> None:
        """`limit`: seconds without a sign of life and without effort that are taken for a hang."""
        self.limit = limit
        self._silent = 0.0
        self._still = 0.0  # of the silence, since the last effort
        self._longest = 0.0  # silence after which a sign of life came
        self._effort: Effort | None = None

    @property
    def tick(self) -> float:
        """Seconds between two looks; infinite without a limit."""
        return FOREVER if self.limit == FOREVER else min(_TICK_SECONDS, self.limit / _LOOKS)

    def beat(self) -> None:
        """A step has ended."""
        self._longest = max(self._longest, self._silent)
        self.rest()

    def rest(self) -> None:
        """Nobody waits for the runner: its silence means nothing."""
        self._silent = self._still = 0.0
        self._effort = None

    def look(self, passed: float, effort: Effort | None) -> bool:
        """Take in so many more seconds of silence; whether the runner hangs.

        `effort` is what its process has done so far, None where the system does not tell.
        """
        passed = min(passed, 2 * self.tick)
        self._silent += passed
        self._still = 0.0 if self._worked(passed, effort) else self._still + passed
        self._effort = effort
        limit = max(self.limit, _LONGER * self._longest)
        return self._still >= limit or self._silent >= _AT_WORK * limit

    @property
    def silent(self) -> float:
        """Seconds since the last sign of life, as far as they were watched."""
        return self._silent

    def _worked(self, passed: float, effort: Effort | None) -> bool:
        if effort is None or self._effort is None:
            return True  # unknown: then the longer limit counts
        computed = effort.seconds - self._effort.seconds >= _BUSY * passed
        return computed or effort.pages > self._effort.pages


def read_effort(pid: int, proc: Path = Path("/proc"), ticks: int = 100) -> Effort | None:
    """What a process has done so far; None where it is gone or the system does not tell.

    `ticks` are those of the kernel's clock in a second.
    """
    if sys.platform != "linux":
        return _elsewhere(pid)
    try:
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return Effort((int(fields[11]) + int(fields[12])) / ticks, int(fields[9]))
    except (OSError, ValueError, IndexError):
        return None


def _elsewhere(pid: int) -> Effort | None:
    """By psutil, which is installed where there is no /proc."""
    try:
        psutil = importlib.import_module("psutil")
    except ImportError:
        return None
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return Effort(float(times.user + times.system))
