"""What a conversion has in memory is bounded by its largest tensor, however large the model is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.convert.peaks import CASES

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
PIECES = 32 * MIB
"""What is read, computed and written at a time, in some copies."""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak of a part is told by Linux only"
)


@pytest.mark.parametrize("name", CASES)
def test_no_more_than_the_largest_tensor_three_times(tmp_path: Path, name: str) -> None:
    command = [sys.executable, "-m", "tests.convert.peaks", name, str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    growth, largest, everything = json.loads(done.stdout)
    bound = 3 * largest + PIECES
    assert largest >= 16 * MIB
    assert everything > bound + PIECES / 2, "a reader of everything at once would not be noticed"
    assert growth < bound
