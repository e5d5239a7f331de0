"""Pushes that are killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.kill_pushes import kill_pushes

pytestmark = pytest.mark.e2e


def test_pushes_that_are_killed_succeed_when_they_are_begun_again(tmp_path: Path) -> None:
    killer = kill_pushes(tmp_path, kills=5, seed=3)
    assert killer.kills >= 5
    assert killer.finished
    assert killer.stages & {"upload", "blobs"}
