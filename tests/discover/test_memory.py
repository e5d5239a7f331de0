"""Available memory, on a machine and in a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.discover.memory import available_memory

MEMINFO = "MemTotal:       8000 kB\nMemFree:         100 kB\nMemAvailable:   4000 kB\n"
STAT = "anon 900000\nfile 700000\nshmem 300000\ninactive_file 300000\nactive_file 100000\n"
LIMITED = {"memory.max": "2000000\n", "memory.current": "1500000\n", "memory.stat": STAT}

CASES: dict[str, tuple[str | None, dict[str, str], int | None]] = {
    "a machine": (MEMINFO, {}, 4_096_000),
    "a container": (MEMINFO, LIMITED, 900_000),
    "a container without a limit": (MEMINFO, {**LIMITED, "memory.max": "max\n"}, 4_096_000),
    "a container that is full": (MEMINFO, {**LIMITED, "memory.current": "9000000"}, 0),
    "a limit above what there is": (MEMINFO, {**LIMITED, "memory.max": "99000000"}, 4_096_000),
    "an old kernel": ("MemTotal: 8000 kB\n", {}, None),
    "another system": (None, {}, None),
}


@pytest.mark.parametrize(("meminfo", "cgroup", "expected"), CASES.values(), ids=CASES)
def test_available(
    tmp_path: Path, meminfo: str | None, cgroup: dict[str, str], expected: int | None
) -> None:
    if meminfo is not None:
        (tmp_path / "meminfo").write_text(meminfo)
    for name, text in cgroup.items():
        (tmp_path / name).write_text(text)
    assert available_memory(tmp_path / "meminfo", tmp_path) == expected
