"""Limits of this process's control groups, of version 1 and 2, with those of the groups above."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Groups", "MemoryLimit"]

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_UNLIMITED = 1 << 60  # version 1 writes a number nobody has for "no limit"


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A group's limit and what it uses of it, in bytes; cached files do not count as used."""

    limit: int
    used: int

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)


class Groups:
    """The control groups of this process. Reading never fails: what is not there has no limit."""

    def __init__(self, root: Path = _ROOT, own: Path = _OWN) -> None:
        """`root` is where groups are mounted, `own` lists those of this process."""
        self._root = root
        self._own = own

    def cpu_quota(self) -> float | None:
        """The least limit in cores, None when there is none."""
        quotas = [
            *(_quota_v2(folder) for folder in self._folders("")),
            *(_quota_v1(folder) for folder in self._folders("cpu")),
        ]
        return min((quota for quota in quotas if quota is not None), default=None)

    def memory(self) -> MemoryLimit | None:
        """The limit that leaves least, None when there is none."""
        limits = [
            *(_memory_v2(folder) for folder in self._folders("")),
            *(_memory_v1(folder) for folder in self._folders("memory")),
        ]
        known = [limit for limit in limits if limit is not None]
        return min(known, key=lambda limit: limit.left, default=None)

    def _folders(self, controller: str) -> Iterator[Path]:
        """This process's group and those above it; in a container they may be seen from inside, so
        that only the mounted root is there. `controller` is empty for version 2.
        """
        base = self._root / controller if controller else self._root
        path = self._path(controller)
        yield base
        folder = base
        for name in Path(path).parts[1:]:
            if name == "..":
                return
            folder /= name
            if folder.is_dir():
                yield folder

    def _path(self, controller: str) -> str:
        try:
            lines = self._own.read_text().splitlines()
        except OSError:
            return "/"
        for line in lines:
            _, _, rest = line.partition(":")
            names, _, path = rest.partition(":")
            if names == controller or (controller and controller in names.split(",")):
                return path
        return "/"


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _whole(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _quota_v2(folder: Path) -> float | None:
    match = re.fullmatch(r"(\d+) (\d+)", _text(folder / "cpu.max").strip())
    return int(match[1]) / int(match[2]) if match and int(match[2]) else None


def _quota_v1(folder: Path) -> float | None:
    quota, period = _whole(folder / "cpu.cfs_quota_us"), _whole(folder / "cpu.cfs_period_us")
    return quota / period if quota and period else None


def _memory_v2(folder: Path) -> MemoryLimit | None:
    limit, used = _whole(folder / "memory.max"), _whole(folder / "memory.current")
    if limit is None or used is None:
        return None
    return MemoryLimit(limit, max(0, used - _cached(folder)))


def _memory_v1(folder: Path) -> MemoryLimit | None:
    limit = _whole(folder / "memory.limit_in_bytes")
    used = _whole(folder / "memory.usage_in_bytes")
    if limit is None or used is None or limit >= _UNLIMITED:
        return None
    return MemoryLimit(limit, max(0, used - _cached(folder)))


def _cached(folder: Path) -> int:
    """Bytes of files that were read: they are dropped when memory is short."""
    pattern = re.compile(r"^(?:in)?active_file (\d+)$", re.M)
    return sum(int(size) for size in pattern.findall(_text(folder / "memory.stat")))
