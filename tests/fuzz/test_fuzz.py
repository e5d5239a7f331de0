"""A short run of what `make fuzz` does at length; the same inputs each time."""

from __future__ import annotations

import subprocess
import sys

COUNT = 3000


def test_broken_inputs_end_in_errors_of_ours_within_bounds() -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", str(COUNT), "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].startswith(f"{COUNT} inputs")
    for line in lines[1:-1]:  # neither everything nor nothing is refused: the inputs are worth it
        name, _, told = line.partition(": ")
        count, refused = (int(part.split()[0]) for part in told.split(", ")[:2])
        assert 0.1 < refused / count < 0.95, name
