"""The processors that this process may use, and how many threads a computation should have."""

from __future__ import annotations

import importlib
import math
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from puna.discover.cgroup import Groups
from puna.discover.hardware import Processor

__all__ = ["read_processor", "worker_threads"]

_CPUS = Path("/sys/devices/system/cpu")
_CPUINFO = Path("/proc/cpuinfo")


def worker_threads(cpus: Path = _CPUS, groups: Groups | None = None) -> int:
    """How many threads a computation should use; at least 1.

    One for each physical core that this process may use, within its control groups' quota. Two
    hardware threads of one core share its arithmetic units, and cores that save power hold the
    others up at every step: using either slows decoding down.
    """
    return read_processor(cpus, groups).threads


def read_processor(
    cpus: Path = _CPUS, groups: Groups | None = None, cpuinfo: Path = _CPUINFO
) -> Processor:
    """Describe the processors. Never fails: what the system does not say is taken as usual."""
    allowed = _allowed()
    quota = (groups or Groups()).cpu_quota()
    if sys.platform == "linux":
        cores = {cpu: _core(cpus, cpu) for cpu in allowed}
        n_cores = len(set(cores.values()))
        n_fast = len({cores[cpu] for cpu in _fast(cpus, allowed, cores)})
        name, features = _cpuinfo(cpuinfo)
    else:
        n_cores = n_fast = _physical(len(allowed))
        name, features = "", frozenset()
    return Processor(
        name=name,
        cpus=os.cpu_count() or 1,
        cores=n_cores,
        fast_cores=n_fast,
        allowed=len(allowed),
        quota=quota,
        features=features,
        threads=max(1, min(n_fast, math.ceil(quota) if quota else n_fast)),
    )


def _allowed() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def _core(cpus: Path, cpu: int) -> str:
    """A name shared by the hardware threads of one core."""
    try:
        return (cpus / f"cpu{cpu}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)


def _fast(cpus: Path, allowed: Iterable[int], cores: dict[int, str]) -> set[int]:
    """Those that are not meant for saving power.

    The kernel tells by a capacity; where it does not, a core with one hardware thread beside others
    with two is one that saves power. All of them, where they are alike.
    """
    capacity = {cpu: _capacity(cpus, cpu) for cpu in allowed}
    best = max((value for value in capacity.values() if value is not None), default=None)
    if best is not None:
        return {cpu for cpu, value in capacity.items() if value is None or value * 4 >= best * 3}
    threads = {cpu: _count(cores[cpu]) for cpu in allowed}
    most = max(threads.values(), default=1)
    return {cpu for cpu in allowed if threads[cpu] > 1 or most == 1}


def _count(siblings: str) -> int:
    """How many processors a list like `0-1,8` names; 1 where it is no such list."""
    total = 0
    for part in siblings.split(","):
        first, _, last = part.partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            return 1
        total += int(last or first) - int(first) + 1
    return total


def _capacity(cpus: Path, cpu: int) -> int | None:
    try:
        return int((cpus / f"cpu{cpu}/cpu_capacity").read_text())
    except (OSError, ValueError):
        return None


def _cpuinfo(path: Path) -> tuple[str, frozenset[str]]:
    """The processor's name and the features of the first one that is listed."""
    try:
        text = path.read_text()
    except OSError:
        return "", frozenset()
    name = re.search(r"^(?:model name|Hardware)\s*:\s*(.*)$", text, re.M)
    features = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.M)
    return (
        name[1].strip() if name else "",
        frozenset(features[1].split()) if features else frozenset(),
    )


def _physical(allowed: int) -> int:
    """Physical cores by psutil, which is installed where there is no /sys."""
    try:
        psutil = importlib.import_module("psutil")
    except ImportError:
        return allowed
    return min(allowed, int(psutil.cpu_count(logical=False) or allowed))
