"""How many threads a computation gets: cores, not hardware threads, within the cgroup's quota."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from puna.discover.cpu import worker_threads


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
    assert worker_threads(tmp_path, tmp_path / "none") == cores


def test_without_a_map_every_processor_is_a_core(tmp_path: Path) -> None:
    assert worker_threads(tmp_path, tmp_path / "none") == len(os.sched_getaffinity(0))


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
    assert worker_threads(tmp_path, tmp_path / "cpu.max") == expected
