"""NVIDIA's management library without a card: answers as it was told."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

__all__ = ["FakeNvml", "NvidiaCard"]


class NVMLError(Exception):
    """What the library raises."""


@dataclass(frozen=True)
class NvidiaCard:
    """A card by its address as the library writes it; None: it does not tell its free bytes."""

    address: str
    free: int | None = 0
    compute: tuple[int, int] = (8, 9)


class FakeNvml:
    """The functions of pynvml that are used. With `is_broken` there is no driver."""

    NVMLError = NVMLError

    def __init__(self, *cards: NvidiaCard, is_broken: bool = False) -> None:
        self.cards = cards
        self.is_broken = is_broken
        self.is_open = False

    def nvmlInit(self) -> None:
        if self.is_broken:
            raise NVMLError("driver not loaded")
        self.is_open = True

    def nvmlShutdown(self) -> None:
        self.is_open = False

    def nvmlDeviceGetCount(self) -> int:
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> NvidiaCard:
        return self.cards[index]

    def nvmlDeviceGetPciInfo(self, card: NvidiaCard) -> SimpleNamespace:
        return SimpleNamespace(busId=card.address)

    def nvmlDeviceGetMemoryInfo(self, card: NvidiaCard) -> SimpleNamespace:
        if card.free is None:
            raise NVMLError("not supported")
        return SimpleNamespace(free=card.free)

    def nvmlDeviceGetCudaComputeCapability(self, card: NvidiaCard) -> tuple[int, int]:
        return card.compute

    def nvmlSystemGetDriverVersion(self) -> str:
        return "570.1"
