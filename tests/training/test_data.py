"""The batches of a training; they need the packages of the training's extra."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("tokenizers", reason="the training's packages are not installed")

from training.cria import data
from training.cria.tokenizer import train_tokenizer

TRAINING = """
import sys
from pathlib import Path
from training.cria.data import Source
source = Source(Path(sys.argv[1]), 0, 0, 100, 100)
next(iter(source))
print(source._process.pid, flush=True)
sys.stdin.read()
"""


def test_a_training_ends_with_the_process_that_makes_its_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_PATIENCE", 0.2)
    source = data.Source(tmp_path / "missing.json", 0, 0, 100, 100)
    try:
        with pytest.raises(RuntimeError, match="has ended"):
            next(iter(source))
    finally:
        source.close()


def test_the_process_that_makes_samples_ends_with_a_killed_training(tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    train_tokenizer(1, 200).save(str(tokenizer))
    training = subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(tokenizer)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert training.stdout is not None
    worker = int(training.stdout.readline())
    training.send_signal(signal.SIGKILL)
    training.communicate()
    until = time.monotonic() + 60
    while _runs(worker):
        assert time.monotonic() < until
        time.sleep(0.1)


def _runs(number: int) -> bool:
    stat = Path(f"/proc/{number}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
