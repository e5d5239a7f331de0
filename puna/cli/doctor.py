"""`puna doctor`: what this machine has, what the engine can use of it, and what to do about the
difference. It looks at this machine itself; a server need not run.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from puna import __version__
from puna.cli.command import command, exactly, json_option
from puna.cli.version import server_version
from puna.config import Settings, child_environment, read_settings
from puna.discover.advice import ENGINE, advise
from puna.discover.hardware import Hardware
from puna.fmt import human_bytes_binary
from puna.runner.probe import MachineProbe

__all__ = ["COMMAND"]


@command("doctor", words=exactly(0), help="Show what this machine has and what can be used of it")
@json_option
def COMMAND(words: tuple[str, ...], json: bool) -> None:
    settings, environ = read_settings(), child_environment()
    found = asyncio.run(_look())
    engine = _engine_version()
    advice = advise(found, engine, environ)
    server = server_version()
    if json:
        print(_as_json(found, engine, server, settings, advice))
        return
    for line in _told(found, engine, server, settings):
        print(line)
    print()
    for sentence in advice or ["Everything that was found can be used."]:
        print(f"- {sentence}" if advice else sentence)


async def _look() -> Hardware:
    probe = MachineProbe()
    try:
        return await probe.hardware()
    finally:
        probe.close()


def _told(found: Hardware, engine: str, server: str, settings: Settings) -> Iterator[str]:
    cpu, memory = found.processor, found.memory
    yield f"Puna        {__version__}, engine {engine or 'not installed'}"
    yield f"Server      {f'version {server} at' if server else 'none at'} {settings.host.url}"
    yield f"Processor   {cpu.name or 'unknown'}"
    slow = cpu.cores - cpu.fast_cores
    beside = f" ({slow} of them save power)" if slow else ""
    yield f"            {cpu.cores} cores{beside}, {cpu.threads} threads used"
    if memory is not None:
        total, left = map(human_bytes_binary, (memory.total, memory.available))
        yield f"Memory      {total}, {left} available"
    for card in found.cards:
        kind = ", integrated" if card.is_integrated else ""
        total, left = map(human_bytes_binary, (card.total, card.free))
        yield (
            f"Card {card.index}      {card.description or card.name} "
            f"({card.library}{kind}), {total}, {left} free"
        )
    if not found.cards:
        there = f" (the system has: {', '.join(found.present)})" if found.present else ""
        yield f"Cards       none that the engine can use{there}"
    yield f"Backends    {', '.join(found.backends) or 'none'}"
    folder = settings.models_dir
    yield f"Models      {folder}, {human_bytes_binary(_free_disk(folder))} free"


def _as_json(
    found: Hardware, engine: str, server: str, settings: Settings, advice: list[str]
) -> str:
    hardware = asdict(found)
    hardware["engine_features"] = sorted(found.engine_features)
    hardware["processor"]["features"] = sorted(found.processor.features)
    return json.dumps(
        {
            "puna": __version__,
            "engine": engine,
            "server": server,
            "models": str(settings.models_dir),
            "models_free": _free_disk(settings.models_dir),
            **hardware,
            "advice": advice,
        },
        indent=2,
    )


def _engine_version() -> str:
    try:
        return version(ENGINE)
    except PackageNotFoundError:
        return ""


def _free_disk(folder: Path) -> int:
    """Free bytes where the folder is, or will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
