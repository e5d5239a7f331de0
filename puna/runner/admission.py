"""Who of those that wait begins: by turns, where there is room, not beside who reads the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from puna.runner.cells import Cells
from puna.runner.prefix import common_length
from puna.runner.queueing import Turns, weight
from puna.runner.running import Running

__all__ = ["Admission", "leaders"]

_MARGIN = 32  # cells left free for each sequence when one more is admitted
_WORTH = 16  # common tokens from which on it pays to wait for somebody else's


class Admission:
    """The generations of a loop that wait. queueing.py says whose turn it is."""

    def __init__(self, cells: Cells, n_live: int) -> None:
        """At most `n_live` run together."""
        self._cells = cells
        self._n_live = n_live
        self._turns = Turns()
        self._leaders: list[Running] = []
        self.waiting: list[Running] = []
        """Those that have no sequence: new ones, and ones that gave their cells to others."""

    def admit(self, running: Sequence[Running], now: int) -> Iterator[Running]:
        """Each that may begin, which does not wait any more. It must be among `running`, with its
        sequence, before the next is asked for. Who is waited for is read as fast as the weightiest
        of those would be."""
        for each in self._leaders:
            each.followed = 0
        self._leaders.clear()
        if not self.waiting:
            return
        for candidate in self._turns.order(tuple(self.waiting), tuple(running), now):
            if len(running) >= self._n_live or not self._cells.has_number:
                return
            reusable = self._cells.reusable(candidate.tokens, candidate.spans)
            if found := leaders(candidate, running, reusable):
                for each in found:
                    each.followed = max(each.followed, weight(candidate.priority))
                self._leaders += found
                continue
            if running and not self._has_room(running, len(candidate.tokens) - reusable):
                return  # nobody overtakes the one whose turn it is and who waits for room
            if running and self._cells.is_fetching(candidate.tokens, candidate.spans):
                return
            self.waiting.remove(candidate)
            self._turns.serve(candidate.client, now)
            yield candidate

    def _has_room(self, running: Sequence[Running], count: int) -> bool:
        """Whether `count` cells can be had, with a margin for everybody to go on for a while.

        Prompts that are still being read have cells to come.
        """
        promised = sum(each.pending for each in running)
        margin = _MARGIN * (len(running) + 1)
        return self._cells.obtainable() - promised >= count + margin


def leaders(candidate: Running, running: Sequence[Running], reusable: int) -> list[Running]:
    """Who is reading a beginning that the candidate can use when it is read."""
    return [
        each
        for each in running
        if each.pending > 1
        and (common := common_length(each.tokens, candidate.tokens)) >= _WORTH
        and common > max(reusable, each.n_cached)
    ]
