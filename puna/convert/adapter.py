"""LoRA adapters in PEFT's form become GGUF adapters. Runs in the child process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from puna.errors import ConvertError

__all__ = ["convert_adapter"]


def convert_adapter(
    folder: Path, base: Path, target: Path, tell: Callable[[int, int], None]
) -> str:
    """Write `target`; gives the base's architecture. Raises ConvertError, OSError."""
    raise ConvertError("adapters cannot be converted yet")
