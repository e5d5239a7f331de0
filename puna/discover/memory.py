"""Memory that is free to use, within this process's limits."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["available_memory"]

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_memory(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Bytes that can be had without swapping; None where the system does not say."""
    known = [each for each in (_of_machine(meminfo), _of_cgroup(cgroup)) if each is not None]
    return min(known, default=None)


def _of_machine(meminfo: Path) -> int | None:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(), re.M)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _of_cgroup(cgroup: Path) -> int | None:
    """What a container's limit leaves. Files that were read are dropped when memory is short."""
    try:
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
        stat = (cgroup / "memory.stat").read_text()
    except (OSError, ValueError):  # no such thing, or no limit: "max"
        return None
    cached = sum(int(size) for size in re.findall(r"^(?:in)?active_file (\d+)$", stat, re.M))
    return max(0, limit - used + cached)
