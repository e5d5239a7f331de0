"""How many threads a computation should use: physical cores within this process's limits."""

from __future__ import annotations

import math
import os
from pathlib import Path

__all__ = ["worker_threads"]

_CPUS = Path("/sys/devices/system/cpu")
_CGROUP_MAX = Path("/sys/fs/cgroup/cpu.max")


def worker_threads(cpus: Path = _CPUS, cgroup_max: Path = _CGROUP_MAX) -> int:
    """Physical cores that this process may use, within its cgroup's quota; at least 1.

    Two hardware threads of one core share its arithmetic units: using both slows decoding down.
    """
    allowed = _allowed()
    cores = {_core(cpus, cpu) for cpu in allowed}
    quota = _quota(cgroup_max)
    return max(1, min(len(cores), math.ceil(quota) if quota else len(cores)))


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


def _quota(cgroup_max: Path) -> float | None:
    """The cgroup v2 limit in cores, None when there is none."""
    try:
        limit, period = cgroup_max.read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
