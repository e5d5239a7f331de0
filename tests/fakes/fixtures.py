"""Real files outside the repository: a clone without them skips the tests that ask for one."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def stories_gguf() -> Path:
    """A trained 260,000-parameter Llama, 1 MB, float32. Skips the test where it is missing."""
    path = SHARED / "fixtures" / "stories260K.gguf"
    if not path.is_file():
        pytest.skip(f"needs the model file {path}")
    return path
