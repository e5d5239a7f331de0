"""What comes into the next decode: whose tokens, guesses at what follows them, and who is computed
alone since a decode failed that it had part in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from puna.runner.batch import Share, Want
from puna.runner.cells import Cells
from puna.runner.llama.context import Context
from puna.runner.llama.streams import Demand
from puna.runner.pace import Pace
from puna.runner.queueing import weight
from puna.runner.reading import Reading
from puna.runner.running import Running
from puna.runner.speculate import Speculation

__all__ = ["Part", "Planning"]


@dataclass(slots=True)
class Part:
    """What one generation has in a decode."""

    generation: Running
    tokens: list[int]
    draft: list[int]
    """Guesses at what follows `tokens`."""
    index: int = -1
    """Of the first token in the batch that has logits, -1 when none has."""


class Planning:
    """Makes the batches of a loop, and learns what they cost."""

    def __init__(
        self,
        context: Context,
        cells: Cells,
        speculation: Speculation | None,
        give_way: Callable[[], None],
    ) -> None:
        """`give_way` takes the cells of who matters least of those that run, which is then not
        among them."""
        self._context = context
        self._cells = cells
        self._speculation = speculation
        self._give_way = give_way
        self._pace = Pace()
        self._reading = Reading()
        self._suspects: set[int] = set()
        """Who had part in a decode that failed, and has not been decoded alone yet."""

    def make_batch(self, running: Sequence[Running]) -> list[Part]:
        """Plan the next decode of those that run, and put its tokens into the engine's batch;
        without a part there is nothing to decode."""
        shares = self._plan(running)
        drafts = self._drafts(running, len(shares))
        by_key = {each.id: each for each in running}
        parts: list[Part] = []
        demands: list[Demand] = []
        for share in shares:
            each, draft = by_key[share.key], drafts.get(share.key, [])
            start, n_logits = each.n_cached, len(draft) + 1 if share.count == each.pending else 0
            tokens = each.tokens[start : start + share.count]
            position = each.position(start) if each.spans else start
            parts.append(Part(each, tokens, draft))
            demands.append(Demand(each.sequence, position, len(tokens) + len(draft), n_logits))
        is_seen = any(part.generation.media for part in parts)  # then the pool alone has all
        sole = len(running) == 1 and not is_seen
        self._context.begin(self._cells.used, sole=sole, demands=() if is_seen else demands)
        pairs = zip(parts, demands, strict=True)
        for part, demand in sorted(pairs, key=lambda pair: self._context.place(pair[1].sequence)):
            index = self._context.add(
                demand.sequence,
                demand.position,
                part.tokens + part.draft,
                logits=demand.n_logits,
                apart=not part.generation.media,
            )
            part.index = index if demand.n_logits else -1
        return parts

    def learn(self, parts: Sequence[Part], duration: int) -> None:
        """Take in how many nanoseconds the newest decode took, before what is cached is noted."""
        streams = sum(part.generation.pending == 1 for part in parts)
        prompt = sum(len(part.tokens) for part in parts) - streams
        drafted = sum(len(part.draft) for part in parts)
        self._pace.learn(duration, streams, prompt, drafted)

    def reopen(self, id: int) -> None:
        """The end of this one's prompt is read again, with those who have come meanwhile."""
        self._reading.reopen(id)

    def suspect(self, failed: Iterable[Running]) -> None:
        """One of these is to blame for a decode that failed: each is decoded alone next, beside
        those whose turn for that has not come."""
        self._suspects |= {each.id for each in failed}

    def acquit(self, spoken: Iterable[Running]) -> None:
        """These have been decoded to the end of their tokens, and nothing failed."""
        if self._suspects:
            self._suspects -= {each.id for each in spoken}

    def forget_text(self, id: int) -> None:
        """The tokens of a generation are others now."""
        if self._speculation is not None:
            self._speculation.forget(id)

    def forget(self, id: int) -> None:
        """A generation has ended."""
        self._suspects.discard(id)
        self.forget_text(id)

    def _plan(self, running: Sequence[Running]) -> list[Share]:
        """Shares that fit into the free cells; who matters least makes room where they do not."""
        only = running[0] if len(running) == 1 else None
        if only is not None and only.pending == only.readable == 1:
            self._cells.make_room(1)
            return [Share(only.id, 1)]
        for each in running:
            if each.id in self._suspects and each.readable:  # nothing is where an image is next
                count = min(each.readable, self._context.n_batch)
                self._cells.make_room(count)
                return [Share(each.id, count)]
        while True:
            wants = [_want(each) for each in running if not each.media or each.readable]
            streams = sum(want.pending == 1 for want in wants)
            allowance = self._pace.allowance(streams, self._context.n_batch)
            shares = self._reading.plan(
                wants, self._context.n_batch, allowance, apart=not self._context.is_asynchronous
            )
            needed = sum(share.count for share in shares)
            if self._cells.make_room(needed) or len(running) == 1:
                self._reading.note(wants, shares)
                return shares
            self._give_way()

    def _drafts(self, running: Sequence[Running], n_planned: int) -> dict[int, list[int]]:
        """Guessed tokens to check, where nobody reads a prompt, from cells that nobody uses."""
        room = min(self._context.n_batch, self._cells.free) - n_planned
        if self._speculation is None or room < 1:
            return {}
        if self._suspects or any(each.pending > 1 for each in running):
            return {}
        streams = {each.id: (each.tokens, each.most_drafted) for each in running if not each.media}
        return self._speculation.drafts(streams, self._pace.cost, room)


def _want(each: Running) -> Want:
    is_new = each.n_cached <= each.n_reused
    pending = each.readable if each.media else each.pending
    share = max(weight(each.priority), each.followed)
    return Want(each.id, pending, share, each.client, is_new, each.n_cached)
