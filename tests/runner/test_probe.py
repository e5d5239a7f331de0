"""The real machine and the real engine, looked at; and an engine that cannot answer."""

from __future__ import annotations

import asyncio

from puna.config import child_environment
from puna.discover.nvidia import NvidiaCards
from puna.runner.llama.devices import library_name
from puna.runner.probe import MachineProbe, ask_engine, with_facts
from puna.runner.protocol import EngineDevices
from tests.fakes.machines import GIB, a_card
from tests.fakes.nvml import FakeNvml, NvidiaCard


def test_this_machine_is_described() -> None:
    async def look() -> None:
        probe = MachineProbe()
        try:
            found = await probe.hardware()
            free = await probe.free()
        finally:
            probe.close()
        assert "CPU" in found.backends
        assert found.engine_features
        assert found.processor.threads >= 1
        assert free.host is not None
        assert 0 < free.host.available <= free.host.total
        assert len(free.cards) == len(found.cards)

    asyncio.run(look())


def test_backends_have_the_names_that_people_know() -> None:
    assert [library_name(name) for name in ("MTL", "CUDA", "Vulkan")] == ["Metal", "CUDA", "Vulkan"]


def test_a_card_that_only_its_driver_knows_is_there() -> None:
    """As in WSL, where the bus shows none."""

    async def look() -> tuple[str, ...]:
        nvidia = NvidiaCards(lambda: FakeNvml(NvidiaCard("00000000:01:00.0", 9)))
        return (await MachineProbe(nvidia=nvidia).hardware()).present

    assert asyncio.run(look()).count("NVIDIA") >= 1


def test_cards_have_what_their_driver_says_of_them() -> None:
    cards = (a_card(1, GIB), a_card(2, GIB))
    first, second = with_facts(cards, {"0000:02:00.0": ("570.1", "8.9")})
    assert first == cards[0]
    assert (second.driver, second.compute) == ("570.1", "8.9")


def test_an_engine_that_takes_too_long_finds_nothing() -> None:
    assert asyncio.run(ask_engine(child_environment(), seconds=0.001)) == EngineDevices()


def test_an_engine_that_cannot_start_finds_nothing() -> None:
    broken = child_environment() | {"LLAMA_CPP_LIB_PATH": "/nowhere", "PYTHONHOME": "/nowhere"}
    assert asyncio.run(ask_engine(broken)) == EngineDevices()
