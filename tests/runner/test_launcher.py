"""The environment of a runner; what else the handle does is tested in test_engine."""

from __future__ import annotations

import pytest

from puna.runner.launcher import runner_environment

PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
SPIN = {"GOMP_SPINCOUNT": "60000"}
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "huge pages and brief spinning": ({"HOME": "/x"}, {"HOME": "/x", **PAGES, **SPIN}),
    "the user's own count": ({"GOMP_SPINCOUNT": "0"}, {"GOMP_SPINCOUNT": "0", **PAGES}),
    "the user's own policy": (
        {"OMP_WAIT_POLICY": "active"},
        {"OMP_WAIT_POLICY": "active", **PAGES},
    ),
    "the user's own pages": (
        {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"},
        {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0", **SPIN},
    ),
}


@pytest.mark.parametrize(("inherited", "expected"), CASES.values(), ids=CASES)
def test_what_a_runner_is_told(inherited: dict[str, str], expected: dict[str, str]) -> None:
    assert runner_environment(inherited) == expected
