"""How many threads a computation gets: cores, not hardware threads, within the cgroup's quota."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from puna.discover.cgroup import Groups
from puna.discover.cpu import read_processor, worker_threads


def plant_cores(folder: Path, threads_per_core: int) -> int:
    """Describe this process's processors as cores of so many threads; returns the cores."""
    cores = set()
    for place, cpu in enumerate(sorted(os.sched_getaffinity(0))):
        core = place // threads_per_core
        cores.add(core)
        siblings = folder / f"cpu{cpu}" / "topology" / "thread_siblings_list"
        siblings.parent.mkdir(parents=True)
        siblings.write_text(f"core {core}\n")
    return len(cores)


@pytest.mark.parametrize("threads_per_core", [1, 2, 4])
def test_a_core_counts_once(tmp_path: Path, threads_per_core: int) -> None:
    cores = plant_cores(tmp_path, threads_per_core)
    assert worker_threads(tmp_path, Groups(tmp_path, tmp_path / "none")) == cores


def test_without_a_map_every_processor_is_a_core(tmp_path: Path) -> None:
    groups = Groups(tmp_path, tmp_path / "none")
    assert worker_threads(tmp_path, groups) == len(os.sched_getaffinity(0))


QUOTAS = {
    "half a core": ("50000 100000\n", 0.5),
    "one and a half": ("150000 100000\n", 1.5),
    "no limit": ("max 100000\n", math.inf),
    "more than there is": ("99900000 100000\n", math.inf),
    "no period": ("50000 0\n", math.inf),
    "words": ("a b\n", math.inf),
    "empty": ("", math.inf),
}


@pytest.mark.parametrize(("text", "quota"), QUOTAS.values(), ids=QUOTAS)
def test_the_quota_of_the_group(tmp_path: Path, text: str, quota: float) -> None:
    (tmp_path / "cpu.max").write_text(text)
    cores = len(os.sched_getaffinity(0))
    expected = cores if math.isinf(quota) else min(cores, math.ceil(quota))
    assert worker_threads(tmp_path, Groups(tmp_path, tmp_path / "none")) == expected


def plant(folder: Path, siblings: dict[int, str], capacity: dict[int, int] | None = None) -> None:
    for cpu, text in siblings.items():
        core = folder / f"cpu{cpu}"
        (core / "topology").mkdir(parents=True)
        (core / "topology" / "thread_siblings_list").write_text(text + "\n")
        if capacity:
            (core / "cpu_capacity").write_text(str(capacity[cpu]))


def two_processors() -> list[int]:
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        pytest.skip("needs two processors")
    return allowed[:2]


def test_cores_that_save_power_are_left_out(tmp_path: Path) -> None:
    first = two_processors()[0]
    others = dict.fromkeys(sorted(os.sched_getaffinity(0) - {first}), "")
    plant(tmp_path, {first: "100-101"} | {cpu: str(cpu) for cpu in others})
    found = read_processor(tmp_path, Groups(tmp_path, tmp_path / "none"), tmp_path / "none")
    assert (found.cores, found.fast_cores, found.threads) == (1 + len(others), 1, 1)


def test_cores_of_less_capacity_are_left_out(tmp_path: Path) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    two_processors()
    siblings = {cpu: str(cpu) for cpu in allowed}
    capacity = dict.fromkeys(allowed, 400) | {allowed[0]: 1024}
    plant(tmp_path, siblings, capacity)
    found = read_processor(tmp_path, Groups(tmp_path, tmp_path / "none"), tmp_path / "none")
    assert found.fast_cores == 1


def test_the_processor_is_named_with_its_features(tmp_path: Path) -> None:
    (tmp_path / "info").write_text("model name\t: Fast One\nflags\t\t: fpu avx2 avx512f\n")
    found = read_processor(tmp_path, Groups(tmp_path, tmp_path / "none"), tmp_path / "info")
    assert found.name == "Fast One"
    assert found.features == {"fpu", "avx2", "avx512f"}
