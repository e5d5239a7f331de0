"""Running the program as users do: as a process, with a clean environment and a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment(home: Path, **extra: str) -> dict[str, str]:
    """The environment of a fresh user; no server is started by itself."""
    kept = {
        key: value
        for key, value in os.environ.items()  # noqa: TID251 - what a child inherits
        if not key.startswith(("OLLAMA_", "PUNA_"))
        and "proxy" not in key.lower()
        and key not in {"COLUMNS", "LINES"}  # of the terminal that the tests run in
    }
    return {
        **kept,
        "HOME": str(home),
        "PUNA_HOME": str(home / "puna"),
        "PUNA_NO_START": "1",
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        **extra,
    }


def puna(
    *args: str, env: Mapping[str, str], stdin: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `puna` and wait for its end."""
    done = subprocess.run(
        [sys.executable, "-m", "puna", *args],
        env=env,
        input=stdin,
        capture_output=True,
        timeout=60,
        cwd=cwd,
        check=False,
    )
    return subprocess.CompletedProcess(
        args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
