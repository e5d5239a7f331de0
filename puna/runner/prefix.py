"""The prefix tree: which tokens lie in the KV cache, who uses them, and how many cells that takes.

Pure bookkeeping. A node is a run of cells; every sequence that passes through it shares them. Two
sequences that computed the same tokens each for itself have a node each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field

__all__ = ["Match", "PrefixTree", "common_length"]


@dataclass(slots=True, eq=False)
class _Node:
    """A run of cells, one for each token, and the sequences that use them."""

    tokens: list[int]
    parent: _Node | None
    users: set[int] = field(default_factory=set)
    children: list[_Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Match:
    """`length` tokens of a prompt are in the cache, as the beginning of the sequence `source`."""

    length: int
    source: int


class PrefixTree:
    """Tokens of live and of finished sequences. Sequences are known by number."""

    def __init__(self) -> None:
        self._root = _Node([], None)
        self._ends: dict[int, _Node] = {}
        self._used = 0

    @property
    def used(self) -> int:
        """Cells in use: shared ones count once."""
        return self._used

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._ends

    def tokens(self, sequence: int) -> list[int]:
        """The tokens that a sequence has in the cache, from the first."""
        return [token for node in self._path(sequence) for token in node.tokens]

    def length(self, sequence: int) -> int:
        """How many tokens a sequence has in the cache."""
        return sum(len(node.tokens) for node in self._path(sequence))

    def own(self, sequence: int) -> int:
        """How many cells would be free without this sequence."""
        return sum(len(node.tokens) for node in self._path(sequence) if len(node.users) == 1)

    def shared(self, sequence: int) -> int:
        """How many tokens at a sequence's beginning others use as well."""
        return self.length(sequence) - self.own(sequence)

    def used_by(self, sequences: Set[int]) -> int:
        """Cells that at least one of these sequences uses."""
        return sum(
            len(node.tokens) for node in _below(self._root) if not node.users.isdisjoint(sequences)
        )

    def match(self, tokens: Sequence[int]) -> Match | None:
        """The longest beginning of `tokens` that is in the cache; None when there is none."""
        length, node = _longest(self._root, tokens)
        return Match(length, min(node.users)) if length else None

    def share(self, sequence: int, source: int, length: int) -> None:
        """Let a new sequence use the first `length` cells of `source`."""
        end = self._cut(source, length)
        self._ends[sequence] = end
        for node in _upwards(end):
            node.users.add(sequence)

    def start(self, sequence: int) -> None:
        """Begin a sequence without any cells."""
        self._ends[sequence] = self._root

    def extend(self, sequence: int, tokens: Sequence[int]) -> None:
        """Add cells at the end of a sequence, its own."""
        if not tokens:
            return
        end = self._ends[sequence]
        self._used += len(tokens)
        if end is not self._root and end.users == {sequence} and not end.children:
            end.tokens.extend(tokens)
            return
        leaf = _Node(list(tokens), end, {sequence})
        end.children.append(leaf)
        self._ends[sequence] = leaf

    def trim(self, sequence: int, length: int) -> None:
        """Give up a sequence's cells from `length` on; those that others use stay with them."""
        keep = self._cut(sequence, length)
        node = self._ends[sequence]
        self._ends[sequence] = keep
        while node is not keep:
            parent = node.parent
            self._leave(node, sequence)
            node = parent or self._root

    def release(self, sequence: int) -> None:
        """Forget a sequence, and the cells that only it used."""
        for node in list(_upwards(self._ends.pop(sequence))):
            self._leave(node, sequence)

    def _leave(self, node: _Node, sequence: int) -> None:
        node.users.discard(sequence)
        parent = node.parent
        if parent is None:
            return
        if not node.users:
            parent.children.remove(node)
            self._used -= len(node.tokens)
            node = parent
        self._join(node)

    def _join(self, node: _Node) -> None:
        """Make one of a node and its only child where the same sequences use both."""
        if node.parent is None or len(node.children) != 1:
            return
        (child,) = node.children
        if child.users != node.users:
            return
        node.tokens += child.tokens
        node.children = child.children
        for each in node.children:
            each.parent = node
        for user in node.users:
            if self._ends[user] is child:
                self._ends[user] = node

    def _path(self, sequence: int) -> list[_Node]:
        return list(_upwards(self._ends[sequence]))[::-1]

    def _cut(self, sequence: int, length: int) -> _Node:
        """The node in which the first `length` tokens of a sequence end, split off if need be."""
        node = self._root
        for node in self._path(sequence):
            if length < len(node.tokens):
                return self._split(node, length) if length else (node.parent or self._root)
            length -= len(node.tokens)
            if not length:
                break
        return node

    def _split(self, node: _Node, length: int) -> _Node:
        """Make a node of the first `length` tokens of `node`, above it; return the new one."""
        parent = node.parent or self._root
        upper = _Node(node.tokens[:length], parent, set(node.users), [node])
        parent.children[parent.children.index(node)] = upper
        node.tokens = node.tokens[length:]
        node.parent = upper
        return upper


def _below(node: _Node) -> Iterator[_Node]:
    """Every node below `node`."""
    waiting = list(node.children)
    while waiting:
        found = waiting.pop()
        waiting += found.children
        yield found


def _upwards(node: _Node) -> Iterator[_Node]:
    """The nodes from `node` to the first, without the root."""
    while node.parent is not None:
        yield node
        node = node.parent


def _longest(root: _Node, tokens: Sequence[int]) -> tuple[int, _Node]:
    """How far `tokens` go from `root`, and the node reached."""
    best = (0, root)
    waiting = [(0, root)]  # nodes all of whose tokens match, and where they end
    while waiting:
        start, node = waiting.pop()
        for child in node.children:
            common = _common(child.tokens, tokens, start)
            if common == len(child.tokens):
                waiting.append((start + common, child))
            if start + common > best[0]:
                best = (start + common, child)
    return best


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their beginnings."""
    return _common(first, second, 0)


def _common(run: Sequence[int], tokens: Sequence[int], start: int) -> int:
    """How many tokens of `run` are those of `tokens` from `start` on."""
    most = min(len(run), len(tokens) - start)
    if run[:most] == tokens[start : start + most]:  # at C speed: the usual case
        return most
    low, high = 0, most  # the first `low` are equal, the first `high` are not
    while high - low > 1:
        middle = (low + high) // 2
        if run[low:middle] == tokens[start + low : start + middle]:
            low = middle
        else:
            high = middle
    return low
