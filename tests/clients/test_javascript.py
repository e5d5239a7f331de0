"""JavaScript's clients: each file of `js/` is a suite of Node's own test runner."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.node import HERE, MODULES, environment, program

pytestmark = [pytest.mark.clients, pytest.mark.usefixtures("node_modules")]

SECONDS = 240


@pytest.mark.timeout(SECONDS + 20)
@pytest.mark.parametrize("suite", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_suite(url: str, tmp_path: Path, suite: str) -> None:
    folder = MODULES.parent  # packages are looked up from where a file lies
    for name in (suite, "asked.mjs"):
        shutil.copy(HERE / name, folder)
    done = subprocess.run(
        [program("node"), "--test", "--test-reporter=spec", suite],
        cwd=folder,
        env=environment(tmp_path, PUNA_URL=url),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fail 0" in done.stdout
    assert "pass 0" not in done.stdout
