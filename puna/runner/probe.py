"""What the machine and the engine have, found out: the device probe of the scheduler and doctor.

Drivers are only touched by a child process, for a driver that crashes takes its process along.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Mapping
from dataclasses import replace

from msgspec import DecodeError, ValidationError, structs
from msgspec.json import Decoder

from puna.config import child_environment
from puna.discover.amd import read_amd_free
from puna.discover.cpu import read_processor
from puna.discover.hardware import Card, Free, Hardware
from puna.discover.memory import system_memory
from puna.discover.nvidia import NvidiaCards
from puna.discover.present import present_cards
from puna.runner.protocol import EngineDevices
from puna.threads import in_thread

__all__ = ["MachineProbe", "ask_engine", "with_facts"]

log = logging.getLogger(__name__)

_SECONDS = 30.0
_MOST_BYTES = 1 << 20
_DECODER = Decoder(EngineDevices)


async def ask_engine(environment: Mapping[str, str], seconds: float = _SECONDS) -> EngineDevices:
    """What the engine can use, asked in a child. A child that fails or takes too long finds the
    processor alone.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "puna.runner.llama.devices",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=dict(environment),
        limit=_MOST_BYTES,
    )
    try:
        if process.stdout is None:
            return EngineDevices()
        async with asyncio.timeout(seconds):
            return _DECODER.decode(await process.stdout.readline())
    except (TimeoutError, ValueError, DecodeError, ValidationError) as fault:
        log.warning("the engine's devices could not be found out: %r", fault)
        return EngineDevices()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()


class MachineProbe:
    """Looks at this machine (discover.hardware.Probe).

    The engine is asked once which cards it can use. Their free memory is then read from the driver,
    or, where that does not tell it, by asking the engine again.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, nvidia: NvidiaCards | None = None
    ) -> None:
        """`environment` is that of the runners: it may hide cards from them."""
        self._environment = child_environment() if environment is None else dict(environment)
        self._engine: EngineDevices | None = None
        self._asking = asyncio.Lock()
        self._nvidia = nvidia or NvidiaCards()

    async def engine(self) -> EngineDevices:
        """What the engine can use, as it was when it was asked first."""
        async with self._asking:
            if self._engine is None:
                found = await ask_engine(self._environment)
                facts = await in_thread(self._nvidia.facts) if found.cards else {}
                self._engine = structs.replace(found, cards=with_facts(found.cards, facts))
        return self._engine

    async def free(self) -> Free:
        """See discover.hardware.Probe."""
        host = await in_thread(system_memory)
        known = (await self.engine()).cards
        if not known:
            return Free(host)
        fresh = await in_thread(self._nvidia.free) | await in_thread(read_amd_free)
        if all(card.id in fresh and not card.is_integrated for card in known):
            return Free(host, tuple(replace(card, free=fresh[card.id]) for card in known))
        return Free(host, _same(known, (await ask_engine(self._environment)).cards))

    async def hardware(self) -> Hardware:
        """A whole snapshot, for people."""
        engine = await self.engine()
        free = await self.free()
        return Hardware(
            processor=await in_thread(read_processor),
            memory=free.host,
            cards=free.cards,
            backends=engine.backends,
            engine_features=frozenset(engine.features),
            present=await in_thread(self._present),
        )

    def _present(self) -> tuple[str, ...]:
        """Where the system does not list a card on its bus (WSL), its driver may."""
        found = present_cards()
        return found if "NVIDIA" in found or not self._nvidia.facts() else (*found, "NVIDIA")

    def close(self) -> None:
        """Let go of the driver."""
        self._nvidia.close()


def with_facts(cards: tuple[Card, ...], facts: Mapping[str, tuple[str, str]]) -> tuple[Card, ...]:
    """The cards with their driver's version and compute capability, by their PCI address."""
    return tuple(
        replace(card, driver=facts[card.id][0], compute=facts[card.id][1])
        if card.id in facts
        else card
        for card in cards
    )


def _same(known: tuple[Card, ...], fresh: tuple[Card, ...]) -> tuple[Card, ...]:
    """The known cards with what they have free now; one that did not answer has what it had."""
    free = {(card.index, card.name): card.free for card in fresh}
    return tuple(replace(card, free=free.get((card.index, card.name), card.free)) for card in known)
