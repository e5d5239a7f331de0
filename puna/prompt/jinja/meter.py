"""What a template from a stranger may cost: steps, time, memory, and how deep values nest.

It knows values but no template language. One meter belongs to one rendering.
"""

from __future__ import annotations

import sys
from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
from dataclasses import dataclass
from time import thread_time
from typing import TypeVar

from puna.errors import TemplateError

__all__ = ["LIMITS", "Limits", "Meter"]

T = TypeVar("T")

LEAF_BYTES = 32
WHOLE_BITS = 64  # more would make hash collisions and slow arithmetic easy to arrange
CLOCK_STEPS = 2048  # steps between two looks at the clock
CONTAINERS = (list, tuple, dict, KeysView, ValuesView, ItemsView)


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one rendering; a real chat stays orders of magnitude below them.

    A step is about a microsecond or a kibibyte of text. `value_bytes` bounds a single value with
    everything in it (shared parts count each time), `total_bytes` all values ever made.
    """

    seconds: float = 2.0  # of this thread's processor time: waiting for other threads is free
    steps: int = 4_000_000
    value_bytes: int = 32 << 20
    total_bytes: int = 256 << 20
    output_chars: int = 16 << 20
    items: int = 100_000  # in a range, or taken from a generator
    depth: int = 200


LIMITS = Limits()


class Meter:
    """Counts what a rendering costs. Every method raises TemplateError past a limit."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self._steps = 0
        self._look_at = CLOCK_STEPS
        self._bytes = 0
        self._ends = thread_time() + limits.seconds
        # id -> (bytes, height, the container); it is kept so that its id stays its own
        self._known: dict[int, tuple[int, int, object]] = {}

    def spend(self, steps: int = 1) -> None:
        """Count steps that are about to be taken."""
        self._steps += steps
        if self._steps < self._look_at:
            return
        if self._steps > self.limits.steps:
            raise TemplateError(f"the template takes more than {self.limits.steps} steps")
        if thread_time() > self._ends:
            raise TemplateError(f"the template takes more than {self.limits.seconds:g} seconds")
        self._look_at = self._steps + CLOCK_STEPS

    def touch(self, *values: object) -> None:
        """Count one operation that reads these values from end to end."""
        self.spend(1 + (sum(map(self.weigh, values)) >> 10))

    def hold(self, value: T) -> T:
        """Count a value that was made, and hand it back."""
        if isinstance(value, str):
            self.charge(sys.getsizeof(value))
        elif isinstance(value, CONTAINERS):
            self.weigh(value)
            self.charge(256 + 8 * len(value))  # with its entry in `_known`
        elif isinstance(value, int) and value.bit_length() > WHOLE_BITS:
            raise TemplateError(f"a number of more than {WHOLE_BITS} bits")
        return value

    def fits(self, size: int) -> None:
        """Refuse a value of that many bytes: asked before one is made that may be large."""
        if size > self.limits.value_bytes:
            raise TemplateError(f"a value of more than {self.limits.value_bytes >> 20} MiB")

    def charge(self, size: int) -> None:
        """Count a value of that many bytes."""
        self.fits(size)
        self._bytes += size
        if self._bytes > self.limits.total_bytes:
            raise TemplateError(f"the template needs more than {self.limits.total_bytes >> 20} MiB")

    def weigh(self, value: object) -> int:
        """The bytes of a value with all that is in it, shared parts counted each time."""
        if isinstance(value, str):
            size = sys.getsizeof(value)
            self.fits(size)
            return size
        return self._measure(value, 0)[0] if isinstance(value, CONTAINERS) else LEAF_BYTES

    def _measure(self, value: object, level: int) -> tuple[int, int]:
        if isinstance(value, str):
            return sys.getsizeof(value), 0
        if not isinstance(value, CONTAINERS):
            return LEAF_BYTES, 0
        known = self._known.get(id(value))
        if known is not None:
            return known[0], known[1]
        if level > self.limits.depth:
            raise TemplateError(f"values nest more than {self.limits.depth} deep")
        total, height = 64, 0
        for child in _children(value):
            self.spend()
            size, below = self._measure(child, level + 1)
            total += size + 8
            height = max(height, below)
            self.fits(total)
        height += 1
        if height > self.limits.depth:
            raise TemplateError(f"values nest more than {self.limits.depth} deep")
        if isinstance(value, list | tuple | dict):
            self._known[id(value)] = (total, height, value)
        return total, height

    def walk(self, values: Iterable[T]) -> Iterator[T]:
        """The items one after another, each counted."""
        for count, item in enumerate(values):
            self.spend()
            if count >= self.limits.items:
                raise TemplateError(f"more than {self.limits.items} items")
            yield item


def _children(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield inner
    elif isinstance(value, Iterable):
        yield from value
