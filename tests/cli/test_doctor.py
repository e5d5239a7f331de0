"""`puna doctor` on this machine, with the engine that is installed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.support import environment, puna


def test_doctor_tells_what_is_there(tmp_path: Path) -> None:
    done = puna("doctor", env=environment(tmp_path, OLLAMA_HOST="127.0.0.1:1"))
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line[:1].isalpha())
    assert {"Puna", "Processor", "Memory", "Backends", "Models"} <= lines.keys()
    assert lines["Server"] == "none at http://127.0.0.1:1"
    assert "CPU" in lines["Backends"].split(", ")


def test_doctor_for_programs(tmp_path: Path) -> None:
    done = puna("doctor", "--json", env=environment(tmp_path, OLLAMA_HOST="127.0.0.1:1"))
    told = json.loads(done.stdout)
    assert told["processor"]["threads"] >= 1
    assert told["memory"]["total"] > told["memory"]["available"] > 0
    assert "CPU" in told["backends"]
    assert told["server"] == ""
    assert told["models_free"] > 0


def test_hidden_cards_are_mentioned(tmp_path: Path) -> None:
    env = environment(tmp_path, OLLAMA_HOST="127.0.0.1:1", CUDA_VISIBLE_DEVICES="-1")
    assert "unset CUDA_VISIBLE_DEVICES" in puna("doctor", env=env).stdout
