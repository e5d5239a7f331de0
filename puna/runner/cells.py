"""The pool of KV cells of one model: who holds which, what is kept for later, what makes room.

It keeps the prefix tree and the engine's memory in step. A finished sequence stays as *held* until
its cells are needed: the least recently used goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import Enum

from puna.runner.llama.context import Context
from puna.runner.llama.model import Model
from puna.runner.prefix import PrefixTree
from puna.runner.spans import Span, n_text, outside, position_of
from puna.runner.warm.choose import Kept, Part, by_value
from puna.runner.warm.keeper import Keeper

__all__ = ["Cells", "Memory", "memory_of"]

_INEXACT = -1
"""Stands in the tree for tokens whose cells were shifted: no prompt matches them."""


class Memory(Enum):
    """What an engine's memory can give to another sequence."""

    FULL = "every token has its cell: any beginning can be shared"
    WINDOW = "some layers forget what is behind a window: its cells must still be there"
    STATE = "some layers keep one state: only a whole finished sequence can be continued"


def memory_of(model: Model) -> Memory:
    """What a model's memory can give."""
    if model.is_recurrent:
        return Memory.STATE
    return Memory.WINDOW if model.n_window else Memory.FULL


class Cells:
    """Sequences and their cells. Not thread-safe: it belongs to the loop."""

    def __init__(self, context: Context, memory: Memory, keeper: Keeper | None = None) -> None:
        """`keeper` has what runners before this one saved."""
        self._context = context
        self._memory = memory
        self._keeper = keeper
        self._tree = PrefixTree()
        self._numbers = list(range(context.n_sequences))
        self._held: OrderedDict[int, None] = OrderedDict()  # least recently used first
        self._exact: dict[int, int] = {}  # sequences that were shifted: tokens before the shift
        self._uses: dict[int, int] = {}  # how often a sequence was shared
        self._spans: dict[int, tuple[Span, ...]] = {}  # images, of sequences that have any

    @property
    def free(self) -> int:
        """Cells that nobody uses."""
        return self._context.n_cells - self._tree.used

    @property
    def used(self) -> int:
        """Cells of what runs and of what is held."""
        return self._tree.used

    @property
    def can_cut(self) -> bool:
        """Whether a sequence can give up its end alone."""
        return self._memory is Memory.FULL

    @property
    def has_number(self) -> bool:
        """Whether another sequence can be opened."""
        return bool(self._numbers or self._held)

    def obtainable(self) -> int:
        """Cells that are free, or would be if nothing were held."""
        live = set(range(self._context.n_sequences)) - self._held.keys()
        return self._context.n_cells - self._tree.used_by(live)

    def reusable(self, tokens: Sequence[int], spans: tuple[Span, ...] = ()) -> int:
        """How many of a prompt's first tokens need not be computed. The last one always is.

        `spans` are the places of its images.
        """
        found = self._find(tokens, spans)
        return found[0] if found else 0

    def open(self, tokens: Sequence[int], spans: tuple[Span, ...] = ()) -> tuple[int, int]:
        """Begin a sequence for a prompt; returns its number and how many tokens it has already."""
        number, length = self._share(tokens, spans)
        if spans:
            self._spans[number] = spans
        if self._keeper is not None:
            length = self._restore(self._keeper, number, _saveable(tokens, spans), length)
        return number, length

    def _share(self, tokens: Sequence[int], spans: tuple[Span, ...]) -> tuple[int, int]:
        """Begin a sequence with the cells that another one has in memory."""
        found = self._find(tokens, spans)
        if found:
            self._touch(found[1])
        number = self._take_number(found[1] if found else None)
        if not found:
            self._tree.start(number)
            return number, 0
        length, source = found
        whole = source in self._held and length == self._tree.length(source)
        self._context.copy(source, number, -1 if whole else position_of(spans, length))
        self._tree.share(number, source, length)
        self._uses[source] = self._uses.get(source, 0) + 1
        if whole:  # what it held, the new one holds now
            self._uses[number] = self._uses[source]
            self._drop(source)
        return number, length

    def _take_number(self, spared: int | None = None) -> int:
        """A number for a sequence; what is held least recently makes room, but not `spared`."""
        if not self._numbers:
            self._drop(next(each for each in self._held if each != spared))
        return self._numbers.pop()

    def grow(self, sequence: int, tokens: Sequence[int]) -> None:
        """Note tokens that were computed."""
        inexact = sequence in self._exact
        self._tree.extend(sequence, [_INEXACT] * len(tokens) if inexact else tokens)

    def shift(self, sequence: int, keep: int, count: int) -> int:
        """Drop `count` tokens after the first `keep`; returns how many are in the cache then.

        What others share is not moved: it must be computed again.
        """
        length = self._tree.length(sequence)
        alone = self._tree.shared(sequence) <= keep
        if self._context.can_shift and alone and length >= keep + count:
            self._context.shift(sequence, keep, count)
            self._tree.trim(sequence, keep)
            self._exact.setdefault(sequence, keep)
            self.grow(sequence, [_INEXACT] * (length - keep - count))
            return length - count
        return self.cut(sequence, keep)

    def cut(self, sequence: int, length: int) -> int:
        """Give up what comes after the first `length` tokens; returns how many are left: no part
        of an image.
        """
        spans = self._spans.get(sequence, ())
        length = outside(spans, length)
        position = position_of(spans, length)
        if self._memory is not Memory.FULL or not self._context.remove(sequence, position):
            self._context.remove(sequence)
            length = 0
        self._tree.trim(sequence, length)
        self._exact.pop(sequence, None)
        return length

    def reject(self, sequence: int, length: int) -> int:
        """Remove what was computed after the `length` tokens that were noted; returns how many are
        left: none where a window has lost what is needed to go on from there.
        """
        self._context.remove(sequence, length)
        if self._memory is Memory.WINDOW and not self._in_window(sequence, length):
            return self.cut(sequence, 0)
        return length

    def hold(self, sequence: int) -> None:
        """Keep a finished sequence's cells for prompts to come."""
        exact = self._exact.get(sequence)
        if exact is not None:
            self.cut(sequence, exact)
        length, spans = self._tree.length(sequence), self._spans.get(sequence, ())
        if spans and outside(spans, length) < length:
            self.cut(sequence, length)
        if self._tree.length(sequence):
            self._held[sequence] = None
        else:
            self.release(sequence)

    def release(self, sequence: int) -> None:
        """Give a sequence's cells back."""
        self._context.remove(sequence)
        self._tree.release(sequence)
        self._exact.pop(sequence, None)
        self._uses.pop(sequence, None)
        self._spans.pop(sequence, None)
        self._numbers.append(sequence)

    def make_room(self, count: int) -> bool:
        """Drop what is held, the least recently used first, until `count` cells are free."""
        while self.free < count and self._held:
            victim = next(iter(self._held))
            missing = count - self.free
            if self._memory is Memory.FULL and self._tree.own(victim) > missing:
                if not self.cut(victim, self._tree.length(victim) - missing):
                    self._drop(victim)
            else:
                self._drop(victim)
        return self.free >= count

    def drop_one(self) -> bool:
        """Drop the least recently used of what is held; False when nothing is."""
        if not self._held:
            return False
        self._drop(next(iter(self._held)))
        return True

    def _drop(self, sequence: int) -> None:
        del self._held[sequence]
        self.release(sequence)

    def _touch(self, sequence: int) -> None:
        if sequence in self._held:
            self._held.move_to_end(sequence)

    def is_fetching(self, tokens: Sequence[int], spans: tuple[Span, ...] = ()) -> bool:
        """Whether saved cells for a prompt are still being read; asking begins it."""
        if self._keeper is None:
            return False
        found = self._find(tokens, spans)
        parts = self._saved(self._keeper, _saveable(tokens, spans), found[0] if found else 0)
        return not self._keeper.are_read(parts)

    def _saved(self, keeper: Keeper, wanted: Sequence[int], length: int) -> list[Part]:
        """Saved runs that reach far enough beyond `length` tokens to be worth it."""
        if self._memory is Memory.FULL:
            parts = keeper.cover(wanted, length)
        else:
            whole = keeper.longest_whole(wanted)
            parts = [whole] if whole else []
        return parts if parts and parts[-1].end >= length + keeper.worth else []

    def _restore(self, keeper: Keeper, sequence: int, wanted: Sequence[int], length: int) -> int:
        """Add saved cells to a sequence that has `length`; returns how many it has then."""
        parts = self._saved(keeper, wanted, length)
        for part in parts:
            if not self._load(keeper, sequence, wanted, part):
                break
        keeper.drop_ahead()
        keeper.touch(parts)
        return self._tree.length(sequence)

    def _load(self, keeper: Keeper, sequence: int, wanted: Sequence[int], part: Part) -> bool:
        """Bring one run into memory and give the sequence what it needs of it."""
        entry = part.entry
        if self.obtainable() < entry.end - entry.start or not (self._numbers or self._held):
            return False
        payload = keeper.read(entry)
        if payload is None:
            return False
        if self._memory is not Memory.FULL:  # it is all of the sequence
            self._context.remove(sequence)
            self._tree.trim(sequence, 0)
        self.make_room(entry.end - entry.start)
        loaded = self._take_number()
        done = self._context.restore(loaded, payload)
        if done:
            whole = part.end == entry.end and part.start == 0
            if whole:
                self._context.copy(loaded, sequence, -1)
            else:
                self._context.copy_part(loaded, sequence, part.start, part.end)
            self._tree.extend(sequence, wanted[part.start : part.end])
        else:
            keeper.forget(entry)
        self._context.remove(loaded)
        self._numbers.append(loaded)
        return done

    def save(self, in_time: Callable[[], bool]) -> None:
        """Save what is held, the most valuable first, as long as there is time."""
        if self._keeper is None or not self._held:
            return
        scratch = self._take_number()
        held = [
            Kept(each, tokens, self._uses.get(each, 0))
            for each in reversed(self._held)
            if (tokens := self._kept_tokens(each))
        ]
        for each in by_value(held):
            if self._memory is Memory.FULL:
                self._save_runs(self._keeper, each, scratch, in_time)
            elif in_time():
                self._save_whole(self._keeper, each)
        self._numbers.append(scratch)

    def _kept_tokens(self, sequence: int) -> list[int]:
        """What of a held sequence can be saved: images and recordings are not."""
        tokens, spans = self._tree.tokens(sequence), self._spans.get(sequence, ())
        length = n_text(spans, len(tokens))
        if length < len(tokens) and self._memory is not Memory.FULL:
            return []
        return tokens[:length]

    def _save_runs(
        self, keeper: Keeper, kept: Kept, scratch: int, in_time: Callable[[], bool]
    ) -> None:
        """Save of a sequence what no file has yet."""
        tokens = kept.tokens
        known = keeper.cover(tokens)
        keeper.touch(known)
        start = known[-1].end if known else 0
        while len(tokens) - start >= keeper.worth and in_time():
            end = min(len(tokens), start + keeper.longest)
            self._context.copy_part(kept.sequence, scratch, start, end)
            saved = keeper.save(tokens[:end], start, self._context.state(scratch))
            self._context.remove(scratch)
            if not saved:
                return
            start = end
        keeper.touch(keeper.cover(tokens))

    def _save_whole(self, keeper: Keeper, kept: Kept) -> None:
        """Save a sequence that can only be continued from its end."""
        sequence, tokens = kept.sequence, kept.tokens
        if self._memory is Memory.WINDOW and not self._in_window(sequence, len(tokens)):
            return
        known = keeper.longest_whole(tokens)
        if known and known.end == len(tokens):
            keeper.touch([known])
        elif len(tokens) >= keeper.worth:
            keeper.save(tokens, 0, self._context.state(sequence))

    def _find(self, tokens: Sequence[int], spans: tuple[Span, ...]) -> tuple[int, int] | None:
        """The longest usable beginning of a prompt and the sequence that has it."""
        wanted = tokens[:-1]
        if self._memory is Memory.STATE:
            return self._find_whole(wanted)
        match = self._tree.match(wanted)
        if match is None:
            return None
        length = outside(spans, match.length)
        position = position_of(spans, length)
        if self._memory is Memory.WINDOW and not self._in_window(match.source, position):
            return None
        return (length, match.source) if length else None

    def _in_window(self, source: int, length: int) -> bool:
        """Whether every layer has what is needed to go on from position `length`."""
        first = self._context.first_position(source)
        return 0 <= first <= max(0, length - self._context.n_window)

    def _find_whole(self, wanted: Sequence[int]) -> tuple[int, int] | None:
        best: tuple[int, int] | None = None
        for sequence in self._held:
            tokens = self._tree.tokens(sequence)
            fits = len(tokens) <= len(wanted) and tokens == list(wanted[: len(tokens)])
            if fits and (best is None or len(tokens) > best[0]):
                best = len(tokens), sequence
        return best


def _saveable(tokens: Sequence[int], spans: Sequence[Span]) -> Sequence[int]:
    """The beginning of a prompt that may have been saved: nothing seen or heard is."""
    return tokens[: n_text(spans, len(tokens) - 1)]
