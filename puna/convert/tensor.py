"""Tensors that are read when they are written: a shape now, the values later, one tensor at a time.

What only moves values (rows, heads, axes) keeps their type and its bytes; what computes gives F32.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from puna.convert.kinds import STORAGE, Array, as_float32, has_bad_values, itemsize
from puna.convert.safetensors import Place
from puna.errors import BadCheckpoint

__all__ = ["Tensor", "announce", "concat", "made", "stack", "stored"]

AHEAD = 256 << 20  # bytes that the system is asked to read before they are needed
SLAB = 4 << 20  # bytes that are read, checked and cast at a time: they stay in the cache


@dataclass(frozen=True, slots=True)
class Tensor:
    """`shape` has the slowest dimension first. `stream` gives arrays that are, one after the other,
    its values.

    `file` and `source` say where it comes from, for errors. `place` is there while its bytes are as
    in the file.
    """

    shape: tuple[int, ...]
    kind: str
    stream: Callable[[], Iterator[Array]]
    file: str
    source: str
    place: Place | None = None
    origin: str = ""
    """The kind that the values had in the checkpoint, where they had fewer bits than now."""

    def load(self) -> Array:
        """All values as one array. Raises BadCheckpoint where the file ends early."""
        out = np.empty(self.shape, STORAGE[self.kind])
        flat, at = out.reshape(-1), 0
        for part in self.stream():
            flat[at : at + part.size] = part.reshape(-1)
            at += part.size
        return out

    def bad(self, reason: str) -> BadCheckpoint:
        """An error about this tensor."""
        return BadCheckpoint(self.file, reason, tensor=self.source)

    def changed(
        self, shape: Sequence[int], change: Callable[[Array], Array], kind: str = ""
    ) -> Tensor:
        """The tensor after `change`, which gets all of its values in their stored type."""

        def stream() -> Iterator[Array]:
            yield change(self.load())

        return replace(self, shape=tuple(shape), kind=kind or self.kind, stream=stream, place=None)

    def computed(self, compute: Callable[[Array], Array]) -> Tensor:
        """The tensor after arithmetic on each value: F32 in, F32 out, in pieces."""

        def stream() -> Iterator[Array]:
            for part in self.stream():
                yield compute(as_float32(part, self.kind))

        return replace(self, kind="F32", stream=stream, place=None)

    def plus(self, addend: float) -> Tensor:
        """Each value and `addend`."""
        return self.computed(lambda values: values + np.float32(addend))

    def times(self, factor: float) -> Tensor:
        """Each value by `factor`."""
        return self.computed(lambda values: values * np.float32(factor))

    def reshaped(self, *shape: int) -> Tensor:
        """The same values in another shape; -1 stands for what is left."""
        return replace(self, shape=self._fit(shape))

    def _fit(self, shape: Sequence[int]) -> tuple[int, ...]:
        n_elements, known = math.prod(self.shape), math.prod(n for n in shape if n != -1)
        full = tuple(n if n != -1 else n_elements // max(known, 1) for n in shape)
        if math.prod(full) != n_elements:
            raise self.bad(f"shape {list(self.shape)} cannot become {list(shape)}")
        return full

    def squeezed(self) -> Tensor:
        """Without dimensions of one element, but for the last that is left."""
        return self.reshaped(*([n for n in self.shape if n != 1] or [1]))

    def transposed(self) -> Tensor:
        """With the last two axes exchanged."""
        self._need_rank(2)
        *front, rows, columns = self.shape
        return self.changed((*front, columns, rows), lambda values: values.swapaxes(-1, -2))

    def rows(self, begin: int, end: int) -> Tensor:
        """Part of the first dimension."""
        if not 0 <= begin <= end <= self.shape[0]:
            raise self.bad(f"shape {list(self.shape)} has no rows {begin} to {end}")
        return self.changed((end - begin, *self.shape[1:]), lambda values: values[begin:end])

    def split(self, *sizes: int) -> list[Tensor]:
        """The first dimension cut into parts of these sizes, which must be all of it."""
        if sum(sizes) != self.shape[0]:
            raise self.bad(f"shape {list(self.shape)} cannot be split into {list(sizes)}")
        ends = np.cumsum(sizes).tolist()
        return [self.rows(end - size, end) for size, end in zip(sizes, ends, strict=True)]

    def regrouped(self, groups: Sequence[int], order: Sequence[int]) -> Tensor:
        """The rows as a block of shape `groups`, whose axes change places, in one
        dimension again.
        """
        if math.prod(groups) != self.shape[0]:
            raise self.bad(f"{self.shape[0]} rows are not {' x '.join(map(str, groups))}")
        rest = self.shape[1:]
        axes = (*order, *range(len(groups), len(groups) + len(rest)))

        def move(values: Array) -> Array:
            return values.reshape(*groups, *rest).transpose(axes)

        return self.changed(self.shape, move)

    def unrotated(self, n_heads: int) -> Tensor:
        """Rows of heads that rotate halves, as heads that rotate neighbours (section 6.1)."""
        if n_heads < 1 or self.shape[0] % (2 * n_heads):
            raise self.bad(f"{self.shape[0]} rows are not those of {n_heads} heads")
        return self.regrouped((n_heads, 2, self.shape[0] // n_heads // 2), (0, 2, 1))

    def middle(self, begin: int, end: int) -> Tensor:
        """Part of the last dimension but one."""
        self._need_rank(2)
        *front, rows, columns = self.shape
        if not 0 <= begin <= end <= rows:
            raise self.bad(f"shape {list(self.shape)} has no rows {begin} to {end}")
        shape = (*front, end - begin, columns)
        return self.changed(shape, lambda values: values[..., begin:end, :])

    def taken(self, rows: Sequence[int]) -> Tensor:
        """These rows, in this order."""
        return self.changed((len(rows), *self.shape[1:]), lambda values: values[list(rows)])

    def padded(self, n_rows: int) -> Tensor:
        """With zero rows at the end, or without the last ones."""
        if n_rows == self.shape[0]:
            return self
        if n_rows < self.shape[0]:
            return self.rows(0, n_rows)
        missing = (n_rows - self.shape[0], *self.shape[1:])

        def stream() -> Iterator[Array]:
            yield from self.stream()
            yield np.zeros(missing, STORAGE[self.kind])

        shape = (n_rows, *self.shape[1:])
        return replace(self, shape=shape, stream=stream, place=None)

    def joined(self, others: Sequence[Tensor]) -> Tensor:
        """With the others behind it along the first dimension."""
        tensors = (self, *others)

        def stream() -> Iterator[Array]:
            for tensor in tensors:
                yield from tensor.stream()

        shape = (sum(tensor.shape[0] for tensor in tensors), *self.shape[1:])
        origin = self.origin if len({tensor.origin for tensor in tensors}) == 1 else ""
        return replace(self, shape=shape, stream=stream, place=None, origin=origin)

    def _need_rank(self, rank: int) -> None:
        if len(self.shape) < rank:
            raise self.bad(f"shape {list(self.shape)} has less than {rank} dimensions")


def stored(place: Place) -> Tensor:
    """The tensor at a place of a file. Its values are read, and checked, piece by piece."""

    def stream() -> Iterator[Array]:
        with place.file.open("rb", buffering=0) as file:
            file.seek(place.begin)
            _ask_for(file.fileno(), place)
            left = place.end - place.begin
            while left:
                buffer = np.empty(min(left, SLAB) // itemsize(place.kind), STORAGE[place.kind])
                _fill(file.readinto, buffer.view(np.uint8).data, place)
                if has_bad_values(buffer, place.kind):
                    raise BadCheckpoint(
                        place.file.name, "holds a NaN or an infinity", tensor=place.name
                    )
                left -= buffer.nbytes
                yield buffer

    shape = place.shape or (1,)
    return Tensor(shape, place.kind, stream, place.file.name, place.name, place)


def announce(tensor: Tensor) -> None:
    """Have the disk bring the tensor's bytes while others are written."""
    if tensor.place:
        with tensor.place.file.open("rb", buffering=0) as file:
            _ask_for(file.fileno(), tensor.place)


def _ask_for(descriptor: int, place: Place) -> None:
    if hasattr(os, "posix_fadvise"):
        length = min(place.end - place.begin, AHEAD)
        os.posix_fadvise(descriptor, place.begin, length, os.POSIX_FADV_WILLNEED)


def _fill(read: Callable[[memoryview], int | None], view: memoryview, place: Place) -> None:
    while view:
        got = read(view)
        if not got:
            raise BadCheckpoint(place.file.name, "is cut off", tensor=place.name)
        view = view[got:]


def made(values: Array, name: str) -> Tensor:
    """A tensor of float32 values that stand in no file."""
    values = np.ascontiguousarray(values, np.float32)
    return Tensor(values.shape, "F32", lambda: iter([values]), "config.json", name)


def concat(tensors: Sequence[Tensor]) -> Tensor:
    """One after the other along the first dimension. Their other dimensions and types
    are the same.
    """
    _need_alike(tensors, 1)
    return tensors[0].joined(tensors[1:])


def stack(tensors: Sequence[Tensor]) -> Tensor:
    """Side by side along a new first dimension; never more than one of them in memory."""
    _need_alike(tensors, 0)
    joined = concat([tensor.reshaped(1, *tensor.shape) for tensor in tensors])
    return replace(joined, shape=(len(tensors), *tensors[0].shape))


def _need_alike(tensors: Sequence[Tensor], skip: int) -> None:
    first = tensors[0]
    for other in tensors[1:]:
        if other.shape[skip:] != first.shape[skip:] or other.kind != first.kind:
            raise other.bad(
                f"{other.kind} {list(other.shape)} does not go together with "
                f"{first.source}, {first.kind} {list(first.shape)}"
            )
