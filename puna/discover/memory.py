"""Memory that is free to use, within this process's limits."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

from puna.discover.cgroup import Groups
from puna.discover.hardware import SystemMemory

__all__ = ["available_memory", "system_memory"]

_MEMINFO = Path("/proc/meminfo")


def available_memory(meminfo: Path = _MEMINFO, groups: Groups | None = None) -> int | None:
    """Bytes that can be had without swapping; None where the system does not say."""
    memory = system_memory(meminfo, groups)
    return None if memory is None else memory.available


def system_memory(meminfo: Path = _MEMINFO, groups: Groups | None = None) -> SystemMemory | None:
    """The machine's memory, or the control group's where that is less; None: unknown."""
    if sys.platform != "linux":
        return _elsewhere()
    machine = _of_machine(meminfo)
    limit = (groups or Groups()).memory()
    if machine is None or limit is None:
        return machine
    return SystemMemory(
        total=min(machine.total, limit.limit),
        available=min(machine.available, limit.left),
        swap_free=machine.swap_free,
    )


def _of_machine(meminfo: Path) -> SystemMemory | None:
    try:
        text = meminfo.read_text()
    except OSError:
        return None
    found = {
        name: int(size) * 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M)
    }
    if "MemTotal" not in found or not {"MemAvailable", "MemFree"} & found.keys():
        return None
    free = sum(found.get(name, 0) for name in ("MemFree", "Buffers", "Cached"))
    return SystemMemory(
        total=found["MemTotal"],
        available=found.get("MemAvailable", free),
        swap_free=found.get("SwapFree", 0),
    )


def _elsewhere() -> SystemMemory | None:
    """By psutil, which is installed where there is no /proc."""
    try:
        psutil = importlib.import_module("psutil")
    except ImportError:
        return None
    memory = psutil.virtual_memory()
    return SystemMemory(int(memory.total), int(memory.available), int(psutil.swap_memory().free))
