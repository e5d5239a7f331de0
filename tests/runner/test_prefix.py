"""The prefix tree against a simple model: every sequence keeps its tokens, no cell leaks."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from puna.runner.prefix import Match, PrefixTree

TOKENS = st.lists(st.integers(0, 2), max_size=6)


def test_a_second_sequence_shares_the_beginning() -> None:
    tree = PrefixTree()
    tree.start(1)
    tree.extend(1, [1, 2, 3, 4])
    assert tree.match([1, 2, 9]) == Match(2, 1)
    tree.share(2, 1, 2)
    tree.extend(2, [9, 9])
    assert (tree.tokens(1), tree.tokens(2)) == ([1, 2, 3, 4], [1, 2, 9, 9])
    assert (tree.used, tree.own(1), tree.shared(1)) == (6, 2, 2)
    assert tree.match([1, 2, 9, 9, 5]) == Match(4, 2)
    tree.release(1)
    assert (tree.used, tree.tokens(2)) == (4, [1, 2, 9, 9])


def test_the_same_tokens_computed_twice_are_two_runs() -> None:
    tree = PrefixTree()
    for sequence in (1, 2):
        tree.start(sequence)
        tree.extend(sequence, [1, 2])
    tree.extend(2, [3])
    assert tree.used == 5
    assert tree.match([1, 2, 3]) == Match(3, 2)


def test_nothing_matches_an_empty_tree() -> None:
    assert PrefixTree().match([1, 2]) is None


class Trees(RuleBasedStateMachine):
    """Random sequences of operations; cells are modelled one by one, with their owners."""

    @initialize()
    def begin(self) -> None:
        self.tree = PrefixTree()
        self.cells: dict[int, list[int]] = {}  # sequence to numbers of cells
        self.token: dict[int, int] = {}  # number of a cell to its token
        self.next = 0

    def fresh(self) -> int:
        self.next += 1
        return self.next

    @rule(tokens=TOKENS)
    def start(self, tokens: list[int]) -> None:
        sequence = self.fresh()
        match = self.tree.match(tokens)
        expected = max((self.common(cells, tokens) for cells in self.cells.values()), default=0)
        assert (match.length if match else 0) == expected
        self.cells[sequence] = []
        if match:
            assert self.common(self.cells[match.source], tokens) >= match.length
            self.tree.share(sequence, match.source, match.length)
            self.cells[sequence] = self.cells[match.source][: match.length]
        else:
            self.tree.start(sequence)
        self.add(sequence, tokens[match.length if match else 0 :])

    def common(self, cells: list[int], tokens: list[int]) -> int:
        count = 0
        for cell, token in zip(cells, tokens, strict=False):
            if self.token[cell] != token:
                break
            count += 1
        return count

    def add(self, sequence: int, tokens: list[int]) -> None:
        self.tree.extend(sequence, tokens)
        for token in tokens:
            cell = self.fresh()
            self.token[cell] = token
            self.cells[sequence].append(cell)

    @precondition(lambda self: self.cells)
    @rule(data=st.data(), tokens=TOKENS)
    def extend(self, data: st.DataObject, tokens: list[int]) -> None:
        self.add(data.draw(st.sampled_from(sorted(self.cells))), tokens)

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def trim(self, data: st.DataObject) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.cells)))
        length = data.draw(st.integers(0, len(self.cells[sequence])))
        self.tree.trim(sequence, length)
        del self.cells[sequence][length:]

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.cells)))
        self.tree.release(sequence)
        del self.cells[sequence]

    @invariant()
    def same_as_the_model(self) -> None:
        for sequence, cells in self.cells.items():
            assert self.tree.tokens(sequence) == [self.token[cell] for cell in cells]
            others = {c for s, own in self.cells.items() if s != sequence for c in own}
            assert self.tree.own(sequence) == len(set(cells) - others)
        assert self.tree.used == len({cell for cells in self.cells.values() for cell in cells})


TestTrees = Trees.TestCase
TestTrees.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
