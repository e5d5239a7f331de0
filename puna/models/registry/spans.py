"""Who fetches what: a blob's missing units divided among streams. Pure, no bytes move here.

Streams work close together at the front, so that what they bring can be hashed soon, and whoever
has nothing left takes over half of what another still has to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Span", "Spans"]


@dataclass(slots=True, eq=False)
class Span:
    """Units from `next` to before `end`: one stream fetches them in order.

    `end` may come down while it does.
    """

    next: int
    end: int


class Spans:
    """The missing runs of units, handed out in spans of at most `longest` units.

    No span is begun more than `window` units ahead of the first missing one, as long as those who
    are behind can be helped.
    """

    def __init__(
        self, missing: Iterable[tuple[int, int]], longest: int, window: int, least: int = 4
    ) -> None:
        self._free = sorted(missing)
        self._active: list[Span] = []
        self._longest = longest
        self._window = window
        self._least = least

    def take(self) -> Span | None:
        """A span to fetch; None where nothing is left that may be taken."""
        span = self._begin() if self._is_near() else self._steal() or self._begin()
        if span is not None:
            self._active.append(span)
        return span

    def done(self, span: Span) -> None:
        """The span is fetched, or given up: what is left of it may be taken again."""
        self._active.remove(span)
        if span.next < span.end:
            self._free.append((span.next, span.end))
            self._free.sort()

    def _is_near(self) -> bool:
        if not self._free:
            return False
        front = min((span.next for span in self._active), default=self._free[0][0])
        return self._free[0][0] - front < self._window

    def _begin(self) -> Span | None:
        if not self._free:
            return None
        start, end = self._free[0]
        cut = min(start + self._longest, end)
        if cut < end:
            self._free[0] = (cut, end)
        else:
            del self._free[0]
        return Span(start, cut)

    def _steal(self) -> Span | None:
        """Half of what a span has left after its present unit: the first that has enough."""
        for victim in sorted(self._active, key=lambda span: span.next):
            left = victim.end - victim.next - 1
            if left >= self._least:
                middle = victim.end - left // 2
                stolen = Span(middle, victim.end)
                victim.end = middle
                return stolen
        return None
