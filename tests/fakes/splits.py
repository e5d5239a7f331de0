"""Models in several files, as llama.cpp's tools write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.ggufs import make_tiny_llama

__all__ = ["N_PARTS", "make_split_llama"]

N_PARTS = 3
_TENSORS_PER_PART = 7


def make_split_llama(folder: Path, stem: str = "tiny", **options: Any) -> list[Path]:
    """Write what `make_tiny_llama` writes in three parts; returns their paths in order."""
    make_tiny_llama(folder / f"{stem}.gguf", tensors_per_part=_TENSORS_PER_PART, **options)
    paths = sorted(folder.glob(f"{stem}-*-of-*.gguf"))
    assert len(paths) == N_PARTS
    return paths
