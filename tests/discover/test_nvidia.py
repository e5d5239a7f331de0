"""NVIDIA's cards tell their free memory, and what they are, through their driver."""

from __future__ import annotations

from typing import Any

from puna.discover.nvidia import NvidiaCards
from tests.fakes.nvml import FakeNvml, NvidiaCard


def test_cards_are_known_by_the_address_that_the_engine_has() -> None:
    library = FakeNvml(
        NvidiaCard("00000000:C1:00.0", 7), NvidiaCard("00000001:02:00.0", 9, (12, 0))
    )
    cards = NvidiaCards(lambda: library)
    assert cards.free() == {"0000:c1:00.0": 7, "0001:02:00.0": 9}
    assert cards.facts() == {
        "0000:c1:00.0": ("570.1", "8.9"),
        "0001:02:00.0": ("570.1", "12.0"),
    }
    cards.close()
    assert not library.is_open
    assert cards.free() == {}


def test_a_card_that_does_not_tell_hides_no_other() -> None:
    """One that shares the machine's memory, or was lost."""
    library = FakeNvml(NvidiaCard("00000000:01:00.0", None), NvidiaCard("00000000:02:00.0", 9))
    assert NvidiaCards(lambda: library).free() == {"0000:02:00.0": 9}


def test_a_machine_without_driver_is_not_asked_again() -> None:
    asked: list[int] = []

    def load() -> Any:
        asked.append(1)
        return FakeNvml(is_broken=True)

    cards = NvidiaCards(load)
    assert (cards.free(), cards.facts()) == ({}, {})
    assert len(asked) == 1


def test_a_machine_without_the_library_has_none() -> None:
    def load() -> Any:
        raise ImportError

    assert NvidiaCards(load).free() == {}
