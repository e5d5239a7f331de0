"""An engine's memory as arithmetic: the next token is a function of the tokens in a sequence.

It stands for libllama's context, model and sampler in tests of the loop: what they see of others,
what they forget and how many cells they take is checked, not assumed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from puna.errors import EngineError
from puna.runner.llama.context import Decoded
from puna.runner.llama.streams import Demand

__all__ = ["END", "POISON", "FakeContext", "FakeModel", "FakeSampler", "never_end", "next_token"]

END = 0
POISON = 666
"""No decode succeeds that has this token in it."""
VOCABULARY = 5


def next_token(seen: Sequence[int]) -> int:
    """What follows these tokens. Every one of them counts, and so does their order."""
    value = 7
    for token in seen:
        value = (value * 31 + token + 1) % 1_000_003
    return value % 11 and value % VOCABULARY


def never_end(seen: Sequence[int]) -> int:
    """Another arithmetic, in which no answer ends by itself."""
    return 1 + (next_token(seen) + 3 * sum(seen) + len(seen)) % (VOCABULARY - 1)


def _demands_of(batch: Sequence[tuple[int, int, int, bool]]) -> list[Demand]:
    """What a batch holds of each sequence."""
    demands = []
    for number in dict.fromkeys(sequence for sequence, *_ in batch):
        mine = [(position, logits) for sequence, position, _, logits in batch if sequence == number]
        n_logits = sum(logits for _, logits in mine)
        demands.append(Demand(number, mine[0][0], len(mine), n_logits))
    return demands


def _sequence_of(demand: Demand) -> int:
    return demand.sequence


class FakeModel:
    """A vocabulary of small numbers; END ends an answer."""

    def __init__(self, *, is_recurrent: bool = False, n_window: int = 0) -> None:
        self.is_recurrent = is_recurrent
        self.n_window = n_window

    def is_end(self, token: int) -> bool:
        return token == END

    def piece(self, token: int) -> bytes:
        return b"%d " % token


class FakeSampler:
    """Draws what the context says; must be closed exactly once."""

    def __init__(self) -> None:
        self.closed = 0

    def sample(self, context: FakeContext, index: int) -> int:
        return context.next[index]

    def close(self) -> None:
        self.closed += 1


class FakeContext:
    """Cells with tokens and positions. Breaking a rule of the engine's memory is an error."""

    def __init__(
        self,
        n_cells: int,
        n_batch: int,
        n_live: int,
        model: FakeModel,
        says: Callable[[Sequence[int]], int] = next_token,
        *,
        is_ordered: bool = True,
    ) -> None:
        """`says` is the model's arithmetic: what follows these tokens. Where it `is_ordered`,
        sequences must be added by their places.
        """
        self._is_ordered = is_ordered
        self._says = says
        self.n_cells = n_cells
        self.n_batch = n_batch
        self.n_live = n_live
        self.n_sequences = n_live + 3
        self.n_window = model.n_window
        self.can_shift = False
        self.is_asynchronous = False
        self.has_state = model.is_recurrent
        self.cells: dict[int, list[object]] = {n: [] for n in range(self.n_sequences)}
        self.next: dict[int, int] = {}
        self._reached = dict.fromkeys(self.cells, 0)  # the most cells each has had
        self._tokens: dict[int, int] = {}  # id of a cell to its token
        self._positions: dict[int, int] = {}
        self._batch: list[tuple[int, int, int, bool]] = []
        self._is_sole = False
        self._demands: list[Demand] = []
        self._made: list[object] = []

    @property
    def used(self) -> int:
        """Cells that at least one sequence uses."""
        return len({id(cell) for cells in self.cells.values() for cell in cells})

    def seen(self, sequence: int) -> list[int]:
        """The tokens in a sequence's cells."""
        return [self._tokens[id(cell)] for cell in self.cells[sequence]]

    def begin(self, n_used: int = 0, *, sole: bool = False, demands: Sequence[Demand] = ()) -> None:
        assert n_used == self.used
        self._batch, self._is_sole = [], sole
        self._places: list[int] = []
        self._demands = list(demands)

    def place(self, sequence: int) -> int:
        return (sequence * 3 + self.used) % 7

    def add(
        self,
        sequence: int,
        position: int,
        tokens: Sequence[int],
        *,
        logits: int,
        apart: bool = True,
    ) -> int:
        self._places.append(self.place(sequence))
        in_order = not self._is_ordered or self._places == sorted(self._places)
        assert in_order, "not in the order of the context's places"
        for offset, token in enumerate(tokens):
            has_logits = offset >= len(tokens) - logits
            self._batch.append((sequence, position + offset, token, has_logits))
        return len(self._batch) - logits

    def wait(self) -> None:
        pass

    def decode(self) -> Decoded:
        assert 0 < len(self._batch) <= self.n_batch
        announced, added = (
            sorted(each, key=_sequence_of) for each in (self._demands, _demands_of(self._batch))
        )
        assert announced in ([], added), "something else was announced"
        assert not self._is_sole or len({sequence for sequence, *_ in self._batch}) == 1
        if any(token == POISON for _, _, token, _ in self._batch):
            raise EngineError("broken")
        if self.used + len(self._batch) > self.n_cells:
            return Decoded.NO_CELLS
        self.next = {}
        for index, (sequence, position, token, logits) in enumerate(self._batch):
            assert position == len(self.cells[sequence]), "a hole, or a cell computed twice"
            is_there = self.first_position(sequence) <= max(0, position - self.n_window)
            assert is_there, "the window has lost what is needed here"
            self.cells[sequence].append(self._make(position, token))
            self._reached[sequence] = max(self._reached[sequence], len(self.cells[sequence]))
            if logits:
                self.next[index] = self._says(self.seen(sequence))
        return Decoded.OK

    def decode_vectors(
        self,
        sequence: int,
        vectors: npt.NDArray[np.float32],
        places: npt.NDArray[np.int32],
        *,
        whole: bool,
        logits: bool,
    ) -> Decoded:
        """Vectors have one number: the key of their image, which is what the cells hold."""
        if self.used + len(vectors) > self.n_cells:
            return Decoded.NO_CELLS
        for vector, position in zip(vectors, places[0], strict=True):
            assert position == len(self.cells[sequence]), "a hole, or a cell computed twice"
            self.cells[sequence].append(self._make(int(position), int(vector[0])))
        self._reached[sequence] = max(self._reached[sequence], len(self.cells[sequence]))
        self.next = {len(vectors) - 1: self._says(self.seen(sequence))} if logits else {}
        return Decoded.OK

    def logits(self, index: int) -> npt.NDArray[np.float32]:
        """One for what is said, nothing for the rest."""
        logits = np.zeros(VOCABULARY, np.float32)
        logits[self.next[index]] = 1
        return logits

    def _make(self, position: int, token: int) -> object:
        cell = object()
        self._made.append(cell)  # keeps its id from being used again
        self._tokens[id(cell)] = token
        self._positions[id(cell)] = position
        return cell

    def settle(self) -> None:
        """Nothing is anywhere else."""

    def remove(self, sequence: int, start: int = -1) -> bool:
        if self.has_state and 0 < start < len(self.cells[sequence]):
            return False
        del self.cells[sequence][max(start, 0) :]
        if start <= 0:
            self._reached[sequence] = 0
        return True

    def copy(self, source: int, target: int, length: int) -> None:
        assert not self.cells[target], "the target is in use"
        assert length < 0 or not self.has_state, "a state is copied whole or not at all"
        self.cells[target] = self.cells[source][: len(self.cells[source]) if length < 0 else length]
        self._reached[target] = self._reached[source]

    def shift(self, sequence: int, start: int, count: int) -> None:
        """Cells from `start` on move down by `count` places; nobody else may use them."""
        cells = self.cells[sequence]
        moved = {id(cell) for cell in cells[start:]}
        for other, theirs in self.cells.items():
            assert other == sequence or moved.isdisjoint(map(id, theirs)), "others' cells move"
        del cells[start : start + count]
        for cell in cells[start:]:
            self._positions[id(cell)] -= count
        self._reached[sequence] -= count

    def copy_part(self, source: int, target: int, start: int, end: int = -1) -> None:
        assert not self.has_state, "a state is copied whole or not at all"
        for cell in self.cells[source]:
            if start <= self._positions[id(cell)] < (end if end >= 0 else 1 << 30):
                self.cells[target].append(cell)

    def state(self, sequence: int) -> memoryview:
        """Positions and tokens of the cells."""
        cells = [id(cell) for cell in self.cells[sequence]]
        pairs = [(self._positions[cell], self._tokens[cell]) for cell in cells]
        return memoryview(json.dumps(pairs).encode())

    def restore(self, sequence: int, state: memoryview) -> bool:
        assert not self.cells[sequence], "the sequence is in use"
        pairs = json.loads(bytes(state))
        if self.used + len(pairs) > self.n_cells:
            return False
        self.cells[sequence] = [self._make(*pair) for pair in pairs]
        self._reached[sequence] = pairs[-1][0] + 1
        return True

    def first_position(self, sequence: int) -> int:
        """A window forgets what is behind it, seen from the furthest place ever reached."""
        if not self.cells[sequence]:
            return -1
        return max(0, self._reached[sequence] - self.n_window) if self.n_window else 0
