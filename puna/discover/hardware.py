"""What a machine has to compute with, as values: processors, memory, graphics cards. How they are
found is in the modules beside this one; tests make such values themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["METAL", "Card", "Free", "Hardware", "Probe", "Processor", "SystemMemory"]

METAL = "Metal"
"""The library of Apple's cards."""


@dataclass(frozen=True, slots=True)
class Processor:
    """The processors that this process may use.

    `cores` are physical ones, `fast_cores` those of them that are not meant for saving power;
    `quota` is the control group's limit in cores, None where there is none. `features` are names of
    instruction sets as the kernel spells them. `threads` is how many a computation should use.
    """

    name: str = ""
    cpus: int = 1
    cores: int = 1
    fast_cores: int = 1
    allowed: int = 1
    quota: float | None = None
    features: frozenset[str] = frozenset()
    threads: int = 1


@dataclass(frozen=True, slots=True)
class SystemMemory:
    """Memory of the machine, or of the control group where that is less; in bytes.

    `available` can be had without swapping.
    """

    total: int
    available: int
    swap_free: int = 0


@dataclass(frozen=True, slots=True)
class Card:
    """A device that the engine can compute on beside the processor; sizes in bytes.

    `index` is the engine's number for it, `id` its PCI address in lower case where it has one.
    Integrated ones (`is_integrated`) use the machine's memory.
    """

    index: int
    name: str
    library: str
    total: int
    free: int
    is_integrated: bool = False
    id: str = ""
    description: str = ""
    driver: str = ""
    compute: str = ""

    @property
    def has_own_memory(self) -> bool:
        """Whether its memory is its own: then a process that ends gives it back on its own time."""
        return not self.is_integrated and self.library != METAL


@dataclass(frozen=True, slots=True)
class Free:
    """Memory that can be had at one moment: of the machine (None: unknown), and of its cards."""

    host: SystemMemory | None
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True, slots=True)
class Hardware:
    """A snapshot of a machine, and what the engine that is installed can use of it.

    `backends` are the engine's ways to compute ("CPU", "CUDA", …), `engine_features` the
    instruction sets it was built for. `present` names graphics cards that the system has, by
    whichever way they were found, whether the engine can use them or not.
    """

    processor: Processor = field(default_factory=Processor)
    memory: SystemMemory | None = None
    cards: tuple[Card, ...] = ()
    backends: tuple[str, ...] = ("CPU",)
    engine_features: frozenset[str] = frozenset()
    present: tuple[str, ...] = ()


class Probe(Protocol):
    """Asks the machine: one of the seams."""

    async def free(self) -> Free:
        """What memory can be had now. Never fails: what cannot be found out is left out."""
