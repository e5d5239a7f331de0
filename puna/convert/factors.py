"""A tensor that is the product of two small ones, as an adapter keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from puna.convert.kinds import Array
from puna.convert.tensor import Tensor

__all__ = ["Factors"]


@dataclass(frozen=True, slots=True)
class _Both:
    a: Tensor
    b: Tensor


@dataclass(frozen=True, slots=True)
class Factors(Tensor):
    """`b` (…, rows, rank) times `a` (rank, columns).

    What moves rows moves those of `b`, what turns the whole turns both; anything else is refused,
    because it cannot be done to a product by doing it to a factor.
    """

    pair: _Both | None = None

    @classmethod
    def of(cls, a: Tensor, b: Tensor) -> Factors:
        """The product of two tensors that fit together."""

        def stream() -> Iterator[Array]:
            raise b.bad("is a product that is never computed")

        shape = (*b.shape[:-1], a.shape[-1])
        return cls(shape, "F32", stream, b.file, b.source, pair=_Both(a, b))

    @property
    def a(self) -> Tensor:
        """The factor that the input meets first."""
        return self._pair.a

    @property
    def b(self) -> Tensor:
        """The factor that gives the output."""
        return self._pair.b

    @property
    def _pair(self) -> _Both:
        if self.pair is None:
            raise self.bad("is no product")
        return self.pair

    def changed(
        self, shape: Sequence[int], change: Callable[[Array], Array], kind: str = ""
    ) -> Tensor:
        """Refused."""
        raise self.bad(f"an adapter cannot follow what conversion does to this weight ({shape})")

    def computed(self, compute: Callable[[Array], Array]) -> Tensor:
        """Refused."""
        raise self.bad("an adapter cannot follow what conversion computes of this weight")

    def reshaped(self, *shape: int) -> Tensor:
        """With its rows in groups, or no longer. The columns stay as they are."""
        *front, columns = self._fit(shape)
        if columns != self.shape[-1]:
            raise self.bad("an adapter cannot follow this weight's change of shape")
        return Factors.of(self.a, self.b.reshaped(*front, self.b.shape[-1]))

    def joined(self, others: Sequence[Tensor]) -> Tensor:
        """With the rows of others that the same factor goes before."""
        if any(not isinstance(other, Factors) or other.a is not self.a for other in others):
            raise self.bad("an adapter cannot follow that weights become one")
        return Factors.of(
            self.a, self.b.joined([other.b for other in others if isinstance(other, Factors)])
        )

    def padded(self, n_rows: int) -> Tensor:
        """With more rows of `b`, or fewer."""
        return Factors.of(self.a, self.b.padded(n_rows))

    def rows(self, begin: int, end: int) -> Tensor:
        """Part of the rows."""
        return Factors.of(self.a, self.b.rows(begin, end))

    def middle(self, begin: int, end: int) -> Tensor:
        """Part of the rows: the dimension before the last one."""
        return Factors.of(self.a, self.b.middle(begin, end))

    def taken(self, rows: Sequence[int]) -> Tensor:
        """These rows, in this order."""
        return Factors.of(self.a, self.b.taken(rows))

    def regrouped(self, groups: Sequence[int], order: Sequence[int]) -> Tensor:
        """The rows in another order."""
        return Factors.of(self.a, self.b.regrouped(groups, order))

    def transposed(self) -> Tensor:
        """Rows and columns exchanged."""
        if len(self.shape) != 2:
            raise self.bad("an adapter cannot follow this weight's change of shape")
        return Factors.of(self.b.transposed(), self.a.transposed())
