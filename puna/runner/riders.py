"""How many tokens of a prompt ride along in the decodes of streams.

A few tokens more can cost next to nothing or as much as the streams themselves: engines compute in
blocks, and small decodes are bound by reading the weights. So what a number of riders costs is not
worked out from what fewer did. It is tried, where even the worst case would not hold anybody up for
long, and kept where it was cheap enough.
"""

from __future__ import annotations

__all__ = ["LEAST", "MOST", "STRETCH", "WIDTHS", "Riders"]

WIDTHS = (8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
"""Tokens in a decode, streams' and riders', that are tried: whole blocks of engines."""

LEAST = 4  # riders: a prompt must get on, and fewer cost more for each
_FEWEST = 1 - LEAST  # a single rider, where a width would stand in the list
STRETCH = 1.8
"""A decode with riders may take this many times one that has none."""

MOST = 2.9
"""What a trial may take at worst, if each rider costs as much as those before."""

_DEAREST = 1.6
"""What LEAST riders may cost; more, and they become fewer: deep in a long prompt each looks at
thousands of cells."""

_TOO_MUCH = 1.15  # times what is allowed: from there on it is fewer
_SOON, _LATER = 1, 32  # decodes with riders before more are tried: after a success, a failure
_WEIGHT = 0.2  # of the newest measurement
_OUTLIER = 2.0  # times what was expected: more than that is the machine's affair, not ours


class Riders:
    """As many as were found to be cheap enough. Costs are what a decode takes longer for them,
    as a part of what it takes without."""

    def __init__(self) -> None:
        self._at = 0  # of the widths; negative: so many fewer than LEAST
        self._trial = False  # whether the next width is being tried
        self._streams = self._asked = 0
        self._cost: float | None = None
        self._wait = _SOON

    def ask(self, n_streams: int, n_most: int) -> int:
        """Riders for the next decode, `n_most` at most."""
        self._streams = n_streams
        self._asked = min(self._count(self._at + self._trial), n_most)
        return self._asked

    def learn(self, count: int, cost: float) -> None:
        """Take in what riders cost. A number that was not asked for says nothing."""
        if count != self._asked:
            return
        allowed = STRETCH - 1
        if self._trial:
            self._trial = False
            self._wait = _LATER
            if cost <= allowed:
                self._at, self._cost, self._wait = self._at + 1, cost, _SOON
            return
        self._cost = _mixed(self._cost, cost)
        self._wait -= 1
        if self._is_too_much(self._cost):
            self._at = self._fewer(count, self._cost)
            self._cost, self._wait = None, _LATER
        elif self._wait <= 0 and self._at + 1 < len(WIDTHS):
            self._trial = self._cost * self._count(self._at + 1) <= count * (MOST - 1)

    def _is_too_much(self, cost: float) -> bool:
        if self._at > 0:
            return cost > (STRETCH - 1) * _TOO_MUCH
        return self._at > _FEWEST and cost > _DEAREST

    def _fewer(self, count: int, cost: float) -> int:
        """The next narrower width; below the widths, as many as can be borne at that cost."""
        if self._at > 0:
            return self._at - 1
        return max(_FEWEST, min(self._at - 1, int(count * _DEAREST / cost) - LEAST))

    def _count(self, at: int) -> int:
        """What fills a width, or the first wider one in which there is room for some."""
        if at < 0:
            return LEAST + at
        fits = (width - self._streams for width in WIDTHS[at:] if width - self._streams >= LEAST)
        return next(fits, LEAST)


def _mixed(average: float | None, newest: float) -> float:
    if average is None:
        return newest
    return average + _WEIGHT * (min(newest, _OUTLIER * max(average, 0.1)) - average)
