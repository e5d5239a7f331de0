"""What a family declares: its name in GGUF, keys beyond the common ones, and changes to its
tensors.

Most of a family is data. Tensors are renamed by the tables of the `gguf` package, which know the
names of all makers; `weights` sees each tensor first, under the maker's name, and may change, split
or drop it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from puna.convert.config import Config
from puna.convert.tensor import Tensor

__all__ = ["Family", "Keys", "Named", "Value", "in_block", "moved"]

Value = bool | int | float | str | Sequence[bool] | Sequence[int] | Sequence[float] | Sequence[str]
Keys = Mapping[str, Value | None]
"""Metadata without the architecture's prefix, or with `general.` or `tokenizer.`; None takes a key
away.
"""

Named = tuple[str, Tensor]


def in_block(name: str, target: str) -> str:
    """GGUF's name `target` in the block whose number is the first in a maker's name."""
    found = re.search(r"\.(\d+)\.", name)
    return f"blk.{found[1]}.{target}" if found else target


def moved(places: Mapping[str, str]) -> Callable[[Config, str, Tensor], Iterable[Named]]:
    """For `weights`: tensors whose names end so get these names of GGUF in their block."""

    def weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
        for ending, target in places.items():
            if name.endswith(ending):
                name = in_block(name, target)
                break
        yield name, tensor

    return weights


def _no_keys(_config: Config) -> Keys:
    return {}


def _no_more_keys(_config: Config, _weights: Mapping[str, Tensor]) -> Keys:
    return {}


def _as_it_is(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    return ((name, tensor),)


def _all_as_they_are(_config: Config, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return weights


def _nothing_more(_config: Config, _names: Collection[str]) -> Iterable[Named]:
    return ()


@dataclass(frozen=True, slots=True)
class Family:
    """How checkpoints of some architectures become GGUF."""

    architecture: str
    """GGUF's name for it."""

    keys: Callable[[Config], Keys] = _no_keys
    """Beyond, or instead of, the common keys."""

    weights: Callable[[Config, str, Tensor], Iterable[Named]] = _as_it_is
    """What becomes of one tensor. Experts that stood alone are stacked by then."""

    more: Callable[[Config, Collection[str]], Iterable[Named]] = _nothing_more
    """Tensors that follow from the configuration, and from the names of those that are there."""

    join: Callable[[Config, Mapping[str, Tensor]], Mapping[str, Tensor]] = _all_as_they_are
    """What becomes of all tensors together, before each is looked at."""

    read: Callable[[Config, Mapping[str, Tensor]], Keys] = _no_more_keys
    """Keys whose values are small tensors of the checkpoint."""

    unrotate: bool = False
    """Whether rows of queries and keys go from halves to neighbours (section 6.1)."""

    norm_offset: str = ""
    """A pattern for the norms whose weights count from one."""

    gathered: str = ""
    """A pattern whose only group is a number: tensors that differ in it alone are stacked, under
    the
    name without it."""

    drop: str = ""
    """A pattern for tensors that the engine has no use for."""

    tied: bool = False
    """Whether the head is always the embedding, whatever the configuration says."""

    vocabulary: str = ""
    """The pre-tokenizer's name, where the family and not the tokenizer's file decides."""

    prefix: str = ""
    """What stands before the names that `gguf` knows, if it is missing in the checkpoint."""

    dense: bool = False
    """Whether matrices for the finished vector, where there are some, are a part of the model."""

    n_blocks: Callable[[Config], int] = lambda config: config.n_layers
    """How many blocks the file has."""

    final: Callable[[Config], Family | None] = lambda _config: None
    """The family to go by instead, where the configuration decides."""
