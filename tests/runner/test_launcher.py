"""The environment of a runner; what else the handle does is tested in test_engine."""

from __future__ import annotations

import pytest

from puna.runner.launcher import runner_environment

CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "brief spinning": ({"HOME": "/x"}, {"HOME": "/x", "GOMP_SPINCOUNT": "60000"}),
    "the user's own count": ({"GOMP_SPINCOUNT": "0"}, {"GOMP_SPINCOUNT": "0"}),
    "the user's own policy": ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
}


@pytest.mark.parametrize(("inherited", "expected"), CASES.values(), ids=CASES)
def test_threads_do_not_spin_for_long(inherited: dict[str, str], expected: dict[str, str]) -> None:
    assert runner_environment(inherited) == expected
