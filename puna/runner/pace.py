"""What a decode costs: how many prompt tokens may ride along, and what drafted ones would cost.

It learns from the clock. Averages are of nanoseconds.
"""

from __future__ import annotations

from bisect import bisect_left

from puna.runner.riders import Riders

__all__ = ["Pace"]

_PAUSE = 8  # decodes: one goes without riders, as a prompt makes the streams' own share dearer
_WEIGHT = 0.2  # of the newest measurement
_OUTLIER = 2.0  # times what was expected: more than that is the machine's affair, not ours
_MEMORY = 512  # decodes after which the cost of a width is measured again


class Pace:
    """Running averages of decodes. A width is the number of tokens in a decode without prompts."""

    def __init__(self) -> None:
        self._decode: float | None = None
        self._token: float | None = None  # of a prompt that is alone
        self._riders = Riders()
        self._since_plain = 0  # decodes with riders
        self._widths: list[int] = []  # that were measured, ascending
        self._costs: dict[int, float] = {}
        self._measured: dict[int, int] = {}  # a width to the decode that it was measured in last
        self._count = 0

    def allowance(self, n_streams: int, n_batch: int) -> int:
        """Prompt tokens for the next decode; without streams nobody waits and it may be full."""
        if not n_streams:
            return n_batch
        if self._since_plain >= _PAUSE:
            return 0
        return self._riders.ask(n_streams, n_batch)

    @property
    def reading(self) -> float | None:
        """What a token of a prompt that is alone takes; None as long as none was seen."""
        return self._token

    def cost(self, width: int) -> float | None:
        """What a decode of `width` tokens takes; None as long as nothing like it was seen.

        Between measured widths it is a line; beyond the widest, what a prompt's tokens cost.
        """
        if width in self._costs:
            return self._costs[width]
        at = bisect_left(self._widths, width)
        if not at:
            return None
        below = self._widths[at - 1]
        if at == len(self._widths):
            return None if self._token is None else self._beyond(below, width)
        above = self._widths[at]
        rise = (self._costs[above] - self._costs[below]) / (above - below)
        return self._costs[below] + rise * (width - below)

    def _beyond(self, widest: int, width: int) -> float:
        return self._costs[widest] + (self._token or 0.0) * (width - widest)

    def learn(self, duration: int, n_streams: int, n_prompt: int, n_drafted: int = 0) -> None:
        """Take in what a decode cost, with so many streams, prompt tokens and drafted tokens."""
        if n_prompt and n_streams:
            if self._decode:
                self._riders.learn(n_prompt, max(0.0, duration / self._decode - 1))
            self._since_plain += 1
        elif n_prompt:
            self._token = _mixed(self._token, duration / n_prompt)
        elif n_streams:
            if not n_drafted:
                self._decode = _mixed(self._decode, duration)
                self._since_plain = 0
            self._learn_width(n_streams + n_drafted, duration)

    def _learn_width(self, width: int, duration: int) -> None:
        self._count += 1
        expected = self.cost(width)
        bounded = duration if expected is None else min(duration, _OUTLIER * expected)
        if width not in self._costs:
            self._widths.insert(bisect_left(self._widths, width), width)
        self._costs[width] = _mixed(self._costs.get(width), bounded)
        self._measured[width] = self._count
        if self._count % _MEMORY == 0:
            self._forget(self._count - _MEMORY)

    def _forget(self, before: int) -> None:
        for width in [each for each, last in self._measured.items() if last < before]:
            self._widths.remove(width)
            del self._costs[width], self._measured[width]


def _mixed(average: float | None, newest: float) -> float:
    return newest if average is None else average + _WEIGHT * (newest - average)
