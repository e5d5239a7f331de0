"""Text from models, on its way to a terminal: it must not move the cursor or set the clipboard."""

from __future__ import annotations

from typing import TextIO

__all__ = ["safe_text", "write_safely"]

_CONTROLS = dict.fromkeys(i for i in (*range(32), *range(127, 160)) if chr(i) not in "\n\t")


def safe_text(text: str) -> str:
    """The text without control characters other than newline and tab."""
    return text.translate(_CONTROLS)


def write_safely(out: TextIO, text: str) -> None:
    """Write text from a model; exactly as it is unless `out` is a terminal."""
    out.write(safe_text(text) if out.isatty() else text)
    out.flush()
