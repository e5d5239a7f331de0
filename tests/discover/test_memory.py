"""Available memory, on a machine and in a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.discover.cgroup import Groups
from puna.discover.hardware import SystemMemory
from puna.discover.memory import available_memory, system_memory

MEMINFO = "MemTotal:       8000 kB\nMemFree:         100 kB\nMemAvailable:   4000 kB\n"
STAT = "anon 900000\nfile 700000\nshmem 300000\ninactive_file 300000\nactive_file 100000\n"
LIMITED = {"memory.max": "2000000\n", "memory.current": "1500000\n", "memory.stat": STAT}

CASES: dict[str, tuple[str | None, dict[str, str], int | None]] = {
    "a machine": (MEMINFO, {}, 4_096_000),
    "a container": (MEMINFO, LIMITED, 900_000),
    "a container without a limit": (MEMINFO, {**LIMITED, "memory.max": "max\n"}, 4_096_000),
    "a container that is full": (MEMINFO, {**LIMITED, "memory.current": "9000000"}, 0),
    "a limit above what there is": (MEMINFO, {**LIMITED, "memory.max": "99000000"}, 4_096_000),
    "an old kernel": ("MemTotal: 8000 kB\nMemFree: 100 kB\nCached: 50 kB\n", {}, 153_600),
    "a kernel that tells only the whole": ("MemTotal: 8000 kB\n", {}, None),
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
    groups = Groups(tmp_path, tmp_path / "none")
    assert available_memory(tmp_path / "meminfo", groups) == expected


def plant(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_groups_above_count_too(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/user/app\n")
    plant(tmp_path / "root/user", {"memory.max": "1000", "memory.current": "900"})
    plant(tmp_path / "root/user/app", {"memory.max": "5000", "memory.current": "10"})
    limit = Groups(tmp_path / "root", tmp_path / "own").memory()
    assert limit is not None
    assert limit.left == 100


def test_groups_of_version_1(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("5:cpu,cpuacct:/a\n4:memory:/b\n")
    memory = {"memory.limit_in_bytes": "5000", "memory.usage_in_bytes": "4000"}
    plant(tmp_path / "root/memory/b", memory | {"memory.stat": "inactive_file 1000\n"})
    plant(tmp_path / "root/cpu/a", {"cpu.cfs_quota_us": "150000", "cpu.cfs_period_us": "100000"})
    groups = Groups(tmp_path / "root", tmp_path / "own")
    assert groups.memory() is not None
    assert groups.memory().left == 2000  # type: ignore[union-attr]
    assert groups.cpu_quota() == 1.5


def test_version_1_without_a_limit(tmp_path: Path) -> None:
    plant(
        tmp_path / "memory",
        {"memory.limit_in_bytes": str(2**63 - 4096), "memory.usage_in_bytes": "1"},
    )
    plant(tmp_path / "cpu", {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"})
    groups = Groups(tmp_path, tmp_path / "none")
    assert groups.memory() is None
    assert groups.cpu_quota() is None


def test_a_path_that_leaves_the_mount_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/../../elsewhere\n")
    plant(tmp_path / "elsewhere", {"memory.max": "1", "memory.current": "0"})
    (tmp_path / "root").mkdir()
    assert Groups(tmp_path / "root", tmp_path / "own").memory() is None


def test_the_whole_memory_is_the_groups_where_that_is_less(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO + "SwapFree: 1 kB\n")
    plant(tmp_path, LIMITED)
    found = system_memory(tmp_path / "meminfo", Groups(tmp_path, tmp_path / "none"))
    assert found == SystemMemory(total=2_000_000, available=900_000, swap_free=1024)
