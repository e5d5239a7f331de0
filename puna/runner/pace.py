"""How many prompt tokens may ride in a decode while others wait for their next word.

It learns from the clock what a decode without prompts costs and what each prompt token adds.
"""

from __future__ import annotations

__all__ = ["Pace"]

STRETCH = 2.0
"""A decode that carries prompt tokens may take this many times one that carries none."""

LEAST = 16  # tokens: a prompt must get on, however slow the machine
UNKNOWN = 64  # tokens, before anything was measured
_WEIGHT = 0.2  # of the newest measurement


class Pace:
    """Running averages, in nanoseconds."""

    def __init__(self) -> None:
        self._decode: float | None = None
        self._token: float | None = None

    def allowance(self, n_streams: int, n_batch: int) -> int:
        """Prompt tokens for the next decode; without streams nobody waits and it may be full."""
        if not n_streams:
            return n_batch
        if self._decode is None or self._token is None:
            return min(UNKNOWN, n_batch)
        affordable = (STRETCH - 1) * self._decode / max(self._token, 1.0)
        return int(min(max(affordable, LEAST), n_batch))

    def learn(self, duration: int, n_streams: int, n_prompt: int) -> None:
        """Take in what a decode cost, with so many streams and prompt tokens in it."""
        if n_streams and not n_prompt:
            self._decode = _mixed(self._decode, duration)
        elif n_prompt:
            base = (self._decode or 0.0) if n_streams else 0.0
            self._token = _mixed(self._token, max(0.0, duration - base) / n_prompt)


def _mixed(average: float | None, newest: float) -> float:
    return newest if average is None else average + _WEIGHT * (newest - average)
