"""The batches of a training; they need the packages of the training's extra."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tokenizers", reason="the training's packages are not installed")

from training.cria import data


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
